// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeCases} from "../../../contracts/interfaces/INodeCases.sol";
import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {AlthingTest} from "./AlthingTest.sol";

/// @dev Shares, caps and times of the cases for any input.
contract NodeCasesFuzzTest is AlthingTest {
    uint48 private constant LIFETIME = 60 days;
    bytes32 private nodeId;
    uint256 private stake;

    function setUp() public {
        deployAll();
        vm.startPrank(holder);
        token.transfer(otherHolder, 100_000 * ALT);
        token.approve(address(registry), type(uint256).max);
        registry.register("other", H100, 16, "eu", "");
        nodeId = registry.register("k", H100, 8, "eu", "");
        vm.stopPrank();
        vm.prank(otherHolder);
        token.approve(address(registry), type(uint256).max);
        stake = registry.node(nodeId).stake;
        vm.warp(START + 1 days);
    }

    function testFuzz_decide_takesTheShare(uint8 kind, uint256 bps) public {
        uint256 caseId = _open(kind, "e");
        uint256 max = registry.nodeCase(caseId).maxBps;
        bps = bound(bps, 0, max + 1_000);
        _contest(caseId);
        if (bps > max) vm.expectRevert(abi.encodeWithSelector(INodeCases.CaseShareInvalid.selector, bps, max));
        vm.prank(address(timelock));
        registry.decideCase(caseId, true, bps);
        uint256 debt = bps > max ? 0 : (stake * bps) / 10_000;
        assertEq(registry.debtOf(nodeId), debt, "debt");
    }

    function testFuzz_decide_belongsToTheTimelock(address caller, bool upheld) public {
        vm.assume(caller != address(timelock));
        uint256 caseId = _open(2, "e");
        _contest(caseId);
        vm.expectRevert(abi.encodeWithSelector(INodeCases.CaseUnauthorized.selector, caseId, caller));
        vm.prank(caller);
        registry.decideCase(caseId, upheld, 0);
    }

    /// @dev A decision falls between the window and the end, and at no other time.
    function testFuzz_decide_hasItsTime(uint256 wait) public {
        uint256 caseId = _open(2, "e");
        wait = bound(wait, 0, 90 days);
        vm.warp(block.timestamp + wait);
        bool inTime = wait >= 7 days && wait < LIFETIME;
        if (!inTime) vm.expectRevert();
        vm.prank(address(timelock));
        registry.decideCase(caseId, true, 5_000);
        assertEq(registry.debtOf(nodeId), inTime ? stake / 2 : 0, "debt");
    }

    function testFuzz_contest_belongsToTheOperatorInTime(address caller, bool operator, uint256 wait) public {
        if (operator) caller = holder;
        uint256 caseId = _open(2, "e");
        vm.warp(block.timestamp + bound(wait, 0, 30 days));
        bool allowed = caller == holder && block.timestamp < registry.nodeCase(caseId).contestableUntil;
        if (!allowed) vm.expectRevert();
        vm.prank(caller);
        registry.contestCase(caseId, "answer");
        require((registry.nodeCase(caseId).answerHash != 0) == allowed, "answer");
    }

    function testFuzz_evidence_isUsedOnce(bytes32 evidence, uint8 kind, uint8 again) public {
        vm.assume(evidence != 0);
        _open(kind, evidence);
        vm.expectRevert(abi.encodeWithSelector(INodeCases.CaseEvidenceUsed.selector, otherHolder, evidence));
        vm.prank(otherHolder);
        registry.openCase(nodeId, INodeCases.CaseKind(again % 3), evidence);
    }

    /// @dev However many cases: all they lock is half, and all they take together is half.
    function testFuzz_cases_shareOneReserve(uint8 count, uint256 seed) public {
        count = uint8(bound(count, 1, 12));
        for (uint256 i = 0; i < count; ++i) {
            _contest(_open(uint8((seed >> i) % 3), bytes32(i + 1)));
        }
        uint256 locked = registry.lockedStake(nodeId);
        require(locked <= stake / 2, "more than the most of any case is locked");
        for (uint256 caseId = 1; caseId <= count; ++caseId) {
            uint256 max = registry.nodeCase(caseId).maxBps;
            vm.prank(address(timelock));
            registry.decideCase(caseId, true, max);
        }
        require(registry.debtOf(nodeId) <= locked, "more was taken than was locked");
        assertEq(registry.lockedStake(nodeId), registry.debtOf(nodeId), "nothing but the debt stays");
    }

    /// @dev Whatever was opened, and when, an exit pays all but the debt 60 days after it finished unbonding.
    function testFuzz_exit_paysAllButTheDebt(uint256 bps, uint256 openedAfter, bool decided, uint8 sham) public {
        vm.prank(holder);
        registry.requestExit(nodeId);
        uint256 freeAt = block.timestamp + 14 days;
        vm.warp(block.timestamp + bound(openedAfter, 0, 14 days - 1));
        uint256 caseId = _open(2, "e");
        for (uint256 i = 0; i < sham % 4; ++i) {
            _open(2, bytes32(i + 1));
        }
        if (decided) {
            _contest(caseId);
            vm.prank(address(timelock));
            registry.decideCase(caseId, true, bound(bps, 0, 5_000));
        }
        uint256 debt = registry.debtOf(nodeId);
        vm.warp(freeAt);
        vm.expectRevert(abi.encodeWithSelector(INodeCases.CaseNodeGone.selector, nodeId, freeAt));
        vm.prank(otherHolder);
        registry.openCase(nodeId, INodeCases.CaseKind.Spoof, "late");
        vm.warp(freeAt + LIFETIME);
        uint256 before = token.balanceOf(holder);
        vm.prank(holder);
        registry.withdraw(nodeId, holder);
        assertEq(token.balanceOf(holder) - before, stake - debt, "paid");
        require((registry.status(nodeId) == INodeRegistry.NodeStatus.Exited) == (debt == 0), "status");
    }

    /// @dev What arrives or leaves in an epoch does not move what may be collected in it.
    function testFuzz_cap_isFixedWhenTheEpochBegins(uint32 gpus, bool leaves, uint256 bps) public {
        uint256 caseId = _open(2, "e");
        _contest(caseId);
        vm.prank(address(timelock));
        registry.decideCase(caseId, true, bound(bps, 100, 5_000));
        vm.warp(START + 20 days);
        uint256 cap = registry.collectable();
        assertEq(cap, ((registry.totalStake() + registry.totalUnbonding()) * 300) / 10_000, "cap");
        vm.startPrank(holder);
        registry.register("more", H100, uint32(bound(gpus, 1, 16)), "eu", "");
        if (leaves) registry.requestExit(nodeId);
        vm.stopPrank();
        assertEq(registry.collectable(), cap, "the cap moved");
        uint256 debt = registry.debtOf(nodeId);
        uint256 amount = registry.collect(caseId);
        assertEq(amount, debt < cap ? debt : cap, "amount");
        assertEq(registry.collectable(), cap - amount, "left");
    }

    /// @dev The reporter's cut never exceeds its share, and no wei is lost between the two.
    function testFuzz_collect_splitsExactly(uint256 bps) public {
        uint256 caseId = _open(2, "e");
        _contest(caseId);
        vm.prank(address(timelock));
        registry.decideCase(caseId, true, bound(bps, 1, 5_000));
        (uint256 treasury, uint256 cut) = (token.balanceOf(address(timelock)), token.balanceOf(otherHolder));
        uint256 amount = registry.collect(caseId);
        treasury = token.balanceOf(address(timelock)) - treasury;
        cut = token.balanceOf(otherHolder) - cut;
        assertEq(treasury + cut, amount, "sum");
        assertEq(cut, amount / 10, "cut");
    }

    function _open(uint8 kind, bytes32 evidence) private returns (uint256) {
        vm.prank(otherHolder);
        return registry.openCase(nodeId, INodeCases.CaseKind(kind % 3), evidence);
    }

    function _contest(uint256 caseId) private {
        vm.prank(holder);
        registry.contestCase(caseId, "answer");
    }
}
