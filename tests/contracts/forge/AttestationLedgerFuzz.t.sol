// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IAttestationLedger} from "../../../contracts/interfaces/IAttestationLedger.sol";
import {AlthingTest, ILedger} from "./AlthingTest.sol";
import {LedgerTree} from "./LedgerTree.sol";

/// @dev Order, windows, roles and proofs for any input.
contract AttestationLedgerFuzzTest is AlthingTest {
    uint256 private constant DAY = 1 days;

    function setUp() public {
        deployAll();
    }

    // Posting

    function testFuzz_post_takesTheNextEpochAlone(uint256 epoch) public {
        vm.assume(epoch != 3);
        vm.warp(START + 100 * DAY);
        for (uint256 i = 0; i < 3; ++i) {
            _post(ledger, i, "root", 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochNotNext.selector, epoch, 3));
        _post(ledger, epoch, "root", 1);
        _post(ledger, 3, "root", 1);
        assertEq(ledger.nextEpoch(), 4, "next");
    }

    function testFuzz_post_waitsForTheEndOfTheEpoch(uint256 early) public {
        early = bound(early, 1, DAY);
        vm.warp(START + DAY - early);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochNotOver.selector, 0, START + DAY));
        _post(ledger, 0, "root", 1);
        vm.warp(START + DAY);
        _post(ledger, 0, "root", 1);
    }

    /// @dev A ledger that replaces another begins with the epoch it is born in.
    function testFuzz_firstEpoch_isThatOfTheDeployment(uint256 age) public {
        age = bound(age, 0, 3650 * DAY);
        vm.warp(START + age);
        ILedger later = createLedger();
        assertEq(later.firstEpoch(), age / DAY, "first");
        assertEq(later.nextEpoch(), age / DAY, "next");
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochUnknown.selector, age / DAY));
        later.record(age / DAY);
    }

    function testFuzz_post_refusesARootThatDoesNotFitItsCount(bytes32 root, uint32 count) public {
        vm.assume(root != 0 && count != 0);
        vm.warp(START + 10 * DAY);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerRootInvalid.selector, root, 0));
        _post(ledger, 0, root, 0);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerRootInvalid.selector, bytes32(0), count));
        _post(ledger, 0, 0, count);
        _post(ledger, 0, 0, 0);
        _post(ledger, 1, root, count);
    }

    function testFuzz_post_boundsTheTotalByADayPerLeaf(uint32 count, uint64 total) public {
        vm.assume(count != 0);
        vm.warp(START + DAY);
        uint256 max = uint256(count) * DAY;
        if (total > max) {
            vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerTotalInvalid.selector, total, max));
        }
        vm.prank(attestor);
        ledger.post(0, "root", count, total, "about");
        assertEq(ledger.nextEpoch(), total > max ? 0 : 1, "posted");
    }

    function testFuzz_record_holdsWhatWasPosted(bytes32 root, uint32 count, uint64 total, bytes32 about) public {
        vm.assume(root != 0 && count != 0);
        total = uint64(bound(total, 0, uint256(count) * DAY));
        vm.warp(START + DAY + 5);
        vm.prank(attestor);
        ledger.post(0, root, count, total, about);
        IAttestationLedger.EpochRecord memory held = ledger.record(0);
        require(held.root == root && held.metadataHash == about && !held.voided, "root, metadata or void");
        assertEq(held.count, count, "count");
        assertEq(held.totalSeconds, total, "total");
        assertEq(held.postedAt, START + DAY + 5, "time");
        assertEq(ledger.usableAt(0), START + DAY + 5 + DAY, "usable");
    }

    // Roles

    function testFuzz_acts_belongToTheirRoles(address caller) public {
        vm.assume(caller != attestor && caller != guardian && caller != address(timelock));
        vm.warp(START + DAY);
        _post(ledger, 0, "root", 1);
        vm.warp(START + 2 * DAY - 1);
        bytes memory roleless = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, keccak256("ATTESTOR_ROLE")
        );
        bytes memory refused = abi.encodeWithSelector(IAttestationLedger.LedgerUnauthorized.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(roleless);
        ledger.post(1, "root", 1, 0, 0);
        vm.expectRevert(roleless);
        ledger.repost(0, "root", 1, 0, 0);
        vm.expectRevert(refused);
        ledger.voidEpoch(0, "why");
        vm.expectRevert(refused);
        ledger.revokeAttestor(attestor);
        vm.stopPrank();
    }

    function test_attestor_cannotVoidAndGuardianCannotPost() public {
        vm.warp(START + DAY);
        _post(ledger, 0, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerUnauthorized.selector, attestor));
        vm.prank(attestor);
        ledger.voidEpoch(0, "why");
        vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        vm.prank(guardian);
        ledger.repost(0, "root", 1, 0, 0);
    }

    // Voiding

    function testFuzz_void_worksForADayOnly(uint256 wait, bool byTimelock) public {
        wait = bound(wait, 0, 3 * DAY);
        vm.warp(START + DAY);
        _post(ledger, 0, "root", 1);
        vm.warp(START + DAY + wait);
        if (wait >= DAY) {
            vm.expectRevert(
                abi.encodeWithSelector(IAttestationLedger.LedgerVoidWindowClosed.selector, 0, START + 2 * DAY)
            );
        }
        vm.prank(byTimelock ? address(timelock) : guardian);
        ledger.voidEpoch(0, "why");
        IAttestationLedger.EpochStatus expected =
            wait < DAY ? IAttestationLedger.EpochStatus.Voided : IAttestationLedger.EpochStatus.Usable;
        require(ledger.status(0) == expected, "status");
    }

    /// @dev The guardian's term ends after 30 days; what was posted since is not its to void.
    function testFuzz_void_isNotALapsedGuardians(uint256 late) public {
        uint256 end = START + 30 days;
        vm.warp(end + bound(late, 1, 300 * DAY));
        _post(ledger, 0, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerUnauthorized.selector, guardian));
        vm.prank(guardian);
        ledger.voidEpoch(0, "why");
    }

    function testFuzz_repost_beginsTheDayAnew(uint256 wait) public {
        wait = bound(wait, 0, 100 * DAY);
        vm.warp(START + DAY);
        _post(ledger, 0, "wrong", 1);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochNotVoided.selector, 0));
        _repost(0, "right", 2);
        vm.prank(guardian);
        ledger.voidEpoch(0, "why");
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochVoided.selector, 0));
        vm.prank(guardian);
        ledger.voidEpoch(0, "again");
        vm.warp(START + DAY + wait);
        _repost(0, "right", 2);
        require(ledger.status(0) == IAttestationLedger.EpochStatus.Posted, "usable at once");
        vm.warp(START + DAY + wait + DAY);
        require(ledger.status(0) == IAttestationLedger.EpochStatus.Usable, "not usable after a day");
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochNotVoided.selector, 0));
        _repost(0, "other", 3);
        require(ledger.record(0).root == "right", "root");
        assertEq(ledger.nextEpoch(), 1, "a repost is no step");
    }

    // Proofs

    function testFuzz_verify_acceptsEveryLeafAtItsPlaceAlone(uint256 size, bytes32 seed, uint256 other) public {
        size = bound(size, 1, 40);
        (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) = _verdicts(ledger, 0, size, seed);
        _makeUsable(ledger, LedgerTree.root(leaves), size);
        for (uint256 i = 0; i < size; ++i) {
            bytes32[] memory proof = LedgerTree.proof(leaves, i);
            require(ledger.verify(0, verdicts[i], i, proof), "a leaf was refused");
            require(!ledger.verify(0, verdicts[i], i + size, proof), "an index beyond the tree");
            require(i == other || !ledger.verify(0, verdicts[i], other, proof), "any other index");
            require(!ledger.verify(0, verdicts[i], (i + 1) % (size + 1), proof), "the next index");
        }
    }

    function testFuzz_verify_refusesAnyOtherVerdict(uint256 size, bytes32 seed, uint8 field) public {
        size = bound(size, 1, 40);
        uint256 index = uint256(seed) % size;
        (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) = _verdicts(ledger, 0, size, seed);
        _makeUsable(ledger, LedgerTree.root(leaves), size);
        IAttestationLedger.VerdictLeaf memory forged = verdicts[index];
        field = field % 5;
        if (field == 0) forged.nodeId ^= bytes32(uint256(1));
        if (field == 1) forged.verdictHash ^= bytes32(uint256(1));
        if (field == 2) forged.tier ^= 1;
        if (field == 3) forged.status ^= 1;
        if (field == 4) forged.secondsAttested ^= 1;
        require(!ledger.verify(0, forged, index, LedgerTree.proof(leaves, index)), "a forged verdict");
    }

    function testFuzz_verify_refusesAnyOtherProof(uint256 size, bytes32 seed, bytes32 noise) public {
        size = bound(size, 2, 40);
        uint256 index = uint256(seed) % size;
        (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) = _verdicts(ledger, 0, size, seed);
        _makeUsable(ledger, LedgerTree.root(leaves), size);
        bytes32[] memory proof = LedgerTree.proof(leaves, index);
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        bytes32[] memory shorter = new bytes32[](proof.length - 1);
        for (uint256 i = 0; i < proof.length; ++i) {
            longer[i] = proof[i];
            if (i < shorter.length) shorter[i] = proof[i];
        }
        longer[proof.length] = noise;
        require(!ledger.verify(0, verdicts[index], index, longer), "a longer proof");
        require(!ledger.verify(0, verdicts[index], index, shorter), "a shorter proof");
        uint256 place = uint256(noise) % proof.length;
        vm.assume(proof[place] != noise);
        proof[place] = noise;
        require(!ledger.verify(0, verdicts[index], index, proof), "an altered proof");
    }

    /// @dev The same verdicts at the same places in another epoch, or in another ledger under the very same root.
    function testFuzz_verify_bindsEpochAndLedger(uint256 size, bytes32 seed) public {
        size = bound(size, 1, 40);
        uint256 index = uint256(seed) % size;
        ILedger twin = createLedger();
        (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) = _verdicts(ledger, 0, size, seed);
        bytes32 root = LedgerTree.root(leaves);
        vm.warp(START + 2 * DAY);
        _post(ledger, 0, root, uint32(size));
        _post(ledger, 1, root, uint32(size));
        _post(twin, 0, root, uint32(size));
        vm.warp(START + 3 * DAY);
        bytes32[] memory proof = LedgerTree.proof(leaves, index);
        require(ledger.verify(0, verdicts[index], index, proof), "its own place");
        require(!ledger.verify(1, verdicts[index], index, proof), "another epoch");
        require(!twin.verify(0, verdicts[index], index, proof), "another ledger");
    }

    /// @dev 64 bytes of children posing as a verdict, even where a wrong count gives inner nodes the places of leaves.
    function testFuzz_verify_refusesAnInnerNodeAsALeaf(bytes32 seed) public {
        (, bytes32[] memory leaves) = _verdicts(ledger, 0, 4, seed);
        _makeUsable(ledger, LedgerTree.root(leaves), 2);
        IAttestationLedger.VerdictLeaf memory posing =
            IAttestationLedger.VerdictLeaf({nodeId: leaves[0], verdictHash: leaves[1], tier: 0, status: 0, secondsAttested: 0});
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = LedgerTree.inner(leaves[2], leaves[3]);
        require(!ledger.verify(0, posing, 0, proof), "an inner node passed for a leaf");
    }

    function testFuzz_verify_waitsUntilTheRootIsUsable(uint256 early) public {
        (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) = _verdicts(ledger, 0, 1, "seed");
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochUnknown.selector, 0));
        ledger.verify(0, verdicts[0], 0, new bytes32[](0));
        vm.warp(START + DAY);
        _post(ledger, 0, LedgerTree.root(leaves), 1);
        vm.warp(START + 2 * DAY - bound(early, 1, DAY));
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochNotUsable.selector, 0, START + 2 * DAY));
        ledger.verify(0, verdicts[0], 0, new bytes32[](0));
        vm.prank(guardian);
        ledger.voidEpoch(0, "why");
        vm.warp(START + 9 * DAY);
        vm.expectRevert(abi.encodeWithSelector(IAttestationLedger.LedgerEpochVoided.selector, 0));
        ledger.verify(0, verdicts[0], 0, new bytes32[](0));
    }

    function testFuzz_verify_anEmptyEpochHoldsNothing(uint256 index, bytes32[] memory proof) public {
        (IAttestationLedger.VerdictLeaf[] memory verdicts,) = _verdicts(ledger, 0, 1, "seed");
        _makeUsable(ledger, 0, 0);
        require(!ledger.verify(0, verdicts[0], index, proof), "something in nothing");
    }

    function _post(ILedger target, uint256 epoch, bytes32 root, uint32 count) private {
        vm.prank(attestor);
        target.post(epoch, root, count, 0, 0);
    }

    function _repost(uint256 epoch, bytes32 root, uint32 count) private {
        vm.prank(attestor);
        ledger.repost(epoch, root, count, 0, 0);
    }

    function _makeUsable(ILedger target, bytes32 root, uint256 count) private {
        vm.warp(START + DAY);
        _post(target, 0, root, uint32(count));
        vm.warp(START + 2 * DAY);
    }

    function _verdicts(
        ILedger target,
        uint256 epoch,
        uint256 count,
        bytes32 seed
    ) private view returns (IAttestationLedger.VerdictLeaf[] memory verdicts, bytes32[] memory leaves) {
        verdicts = new IAttestationLedger.VerdictLeaf[](count);
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes32 random = keccak256(abi.encode(seed, i));
            verdicts[i] = IAttestationLedger.VerdictLeaf({
                nodeId: keccak256(abi.encode(random)),
                verdictHash: random,
                tier: uint8(uint256(random) % 6),
                status: uint8(uint256(random) >> 8),
                secondsAttested: uint32(uint256(random) >> 16) % uint32(DAY)
            });
            leaves[i] = target.leafHash(epoch, verdicts[i], i);
        }
    }
}
