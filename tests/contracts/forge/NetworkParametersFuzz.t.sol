// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {AlthingTest} from "./AlthingTest.sol";

/// @dev Bounds, steps, rate limits and roles over every key of the data file.
contract NetworkParametersFuzzTest is AlthingTest {
    bytes32[] internal keys;

    function setUp() public {
        deployAll();
        keys = parameters.keys();
    }

    /// @dev What {validate} says is what {set} does, for any key and any value.
    function testFuzz_validate_agreesWithSet(uint256 keySeed, uint256 value) public {
        bytes32 key = keys[bound(keySeed, 0, keys.length - 1)];
        value = _nearby(key, value);
        (bytes32[] memory keys_, bytes32[] memory values) = _lists(key, value);
        bool valid = _validates(keys_, values);
        bool accepted;
        try this.setOneKey(key, bytes32(value)) {
            accepted = true;
        } catch {}
        require(valid == accepted, "validate and set disagree");
    }

    /// @dev The accepted values are exactly those within bounds, on step and near enough; judged here a second time.
    function testFuzz_set_keepsToBoundsStepAndLimit(uint256 keySeed, uint256 value) public {
        bytes32 key = keys[bound(keySeed, 0, keys.length - 1)];
        INetworkParameters.Spec memory spec = parameters.spec(key);
        vm.assume(spec.kind != INetworkParameters.Kind.Bytes32);
        value = _nearby(key, value);
        uint256 current = uint256(parameters.get(key));
        (bytes32[] memory keys_, bytes32[] memory values) = _lists(key, value);
        bool accepted = _validates(keys_, values);
        bool expected = value >= spec.min && value <= spec.max && (value - spec.min) % spec.step == 0
            && value != current && _distance(value, current) <= _allowed(spec, current);
        // An invariant may refuse what the key's own rules allow, never the other way round.
        require(!accepted || expected, "accepted against the rules");
        if (expected && !accepted) {
            vm.expectPartialRevert(INetworkParameters.ParameterInvariantViolated.selector);
            parameters.validate(keys_, values);
        }
    }

    function testFuzz_set_revertsForAnyoneButTheTimelock(address caller) public {
        vm.assume(caller != address(timelock));
        (bytes32[] memory keys_, bytes32[] memory values) = single("attest.ttl", 2400);
        bytes32[] memory expected = _current(keys_);
        vm.expectRevert(abi.encodeWithSelector(INetworkParameters.ParameterUnauthorized.selector, caller));
        vm.prank(caller);
        parameters.set(keys_, expected, values);
    }

    function testFuzz_powers_belongToTheirHoldersAlone(address caller) public {
        vm.assume(caller != address(timelock) && caller != guardian);
        bytes memory refused = abi.encodeWithSelector(INetworkParameters.ParameterUnauthorized.selector, caller);
        INetworkParameters.Definition[] memory none = new INetworkParameters.Definition[](0);
        vm.startPrank(caller);
        vm.expectRevert(refused);
        parameters.veto(1);
        vm.expectRevert(refused);
        parameters.withdraw(1);
        vm.expectRevert(refused);
        parameters.undo(1);
        vm.expectRevert(refused);
        parameters.tighten(keyOf("attest.enforce_nonce"), bytes32(uint256(1)));
        vm.expectRevert();
        parameters.defineGenesis(none);
        vm.expectRevert();
        parameters.seal();
        vm.stopPrank();
    }

    /// @dev The deployer is this contract: its power ended with the seal.
    function test_deployer_hasNoPowerAfterSeal() public {
        vm.expectRevert(INetworkParameters.ParametersAlreadySealed.selector);
        parameters.defineGenesis(new INetworkParameters.Definition[](0));
        vm.expectRevert(INetworkParameters.ParametersAlreadySealed.selector);
        parameters.seal();
    }

    function testFuzz_set_revertsBeforeTheIntervalIsOver(uint256 wait) public {
        setOne("attest.ttl", 2400);
        wait = bound(wait, 0, 604_799);
        uint256 allowedAt = block.timestamp + 604_800;
        vm.warp(block.timestamp + wait);
        (bytes32[] memory keys_, bytes32[] memory values) = single("attest.ttl", 2700);
        vm.expectRevert(
            abi.encodeWithSelector(
                INetworkParameters.ParameterChangedTooRecently.selector, keyOf("attest.ttl"), allowedAt
            )
        );
        parameters.validate(keys_, values);
        vm.warp(allowedAt);
        parameters.validate(keys_, values);
    }

    /// @dev A set with an epoch key takes effect on a boundary at least an hour after its delay, and at the first such.
    function testFuzz_set_waitsForTheEpoch(uint256 wait) public {
        vm.warp(block.timestamp + bound(wait, 0, 3 days));
        uint256 earliest = block.timestamp + valueOf("meta.s_extra_delay") + 1 hours;
        setOne("rewards.provider_cap", 1050);
        (,, uint48 effectiveAt) = parameters.pending(keyOf("rewards.provider_cap"));
        assertEq((effectiveAt - parameters.genesisAt()) % 1 days, 0, "not on a boundary");
        require(effectiveAt >= earliest && effectiveAt < earliest + 1 days, "not the first boundary");
    }

    function testFuzz_getAt_revertsForNowAndLater(uint48 ahead) public {
        vm.assume(ahead < type(uint48).max - block.timestamp);
        vm.expectPartialRevert(INetworkParameters.ParameterFutureLookup.selector);
        parameters.getAt(keyOf("attest.ttl"), uint48(block.timestamp) + ahead);
    }

    function setOneKey(bytes32 key, bytes32 value) external {
        (bytes32[] memory keys_, bytes32[] memory values) = _lists(key, uint256(value));
        setAs(address(timelock), keys_, values);
    }

    /// @dev Most random numbers are far outside every bound: look around the edges instead.
    function _nearby(bytes32 key, uint256 seed) private view returns (uint256) {
        INetworkParameters.Spec memory spec = parameters.spec(key);
        uint256 step = spec.step == 0 ? 1 : spec.step;
        uint256 offset = ((seed >> 8) % 7) * step + (seed % 16 == 0 ? 1 : 0);
        uint256 current = uint256(parameters.get(key));
        uint256 allowed = _allowed(spec, current);
        uint256[6] memory anchors =
            [current, spec.min, spec.max, current + allowed, current > allowed ? current - allowed : 0, seed];
        uint256 anchor = anchors[(seed >> 16) % 6];
        if ((seed >> 24) % 2 == 0) return anchor > offset ? anchor - offset : 0;
        return anchor < type(uint256).max - offset ? anchor + offset : anchor;
    }

    function _validates(bytes32[] memory keys_, bytes32[] memory values) private view returns (bool) {
        try parameters.validate(keys_, values) {
            return true;
        } catch {
            return false;
        }
    }

    function _lists(
        bytes32 key,
        uint256 value
    ) private pure returns (bytes32[] memory keys_, bytes32[] memory values) {
        keys_ = new bytes32[](1);
        values = new bytes32[](1);
        (keys_[0], values[0]) = (key, bytes32(value));
    }

    function _current(bytes32[] memory keys_) private view returns (bytes32[] memory values) {
        values = new bytes32[](keys_.length);
        for (uint256 i = 0; i < keys_.length; ++i) {
            values[i] = parameters.getVoted(keys_[i]);
        }
    }

    function _allowed(INetworkParameters.Spec memory spec, uint256 current) private pure returns (uint256 most) {
        most = (current * spec.maxRelBps + 9_999) / 10_000;
        if (spec.maxAbs > most) most = spec.maxAbs;
        if (spec.step > most) most = spec.step;
    }

    function _distance(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a - b : b - a;
    }
}
