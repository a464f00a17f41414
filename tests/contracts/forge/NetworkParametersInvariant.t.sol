// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {ParametersHandler} from "./ParametersHandler.sol";

/// @dev Any sequence of votes, vetoes, withdrawals, undoings, tightenings and waiting keeps these.
contract NetworkParametersInvariantTest is AlthingTest {
    ParametersHandler internal handler;
    bytes32[] internal keys;

    function setUp() public {
        deployAll();
        keys = parameters.keys();
        handler = new ParametersHandler(parameters, address(timelock), guardian);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function test_handler_vetoesAPendingSet() public {
        uint256 index;
        while (keys[index] != keyOf("rewards.provider_cap")) ++index;
        handler.changeOne(index, 0, true);
        handler.veto(0);
        require(handler.accepted() == 1 && handler.vetoed() == 1, "the walk would never veto");
    }

    /// @dev One function, so that one walk is judged by every rule.
    function invariant_parameters() public view {
        _valuesAreWithinBounds();
        _requireRelations(false);
        _requireRelations(true);
        _pastNeverChanges();
        require(!handler.limitBroken(), "a key moved further or sooner than its limit, and not by undo");
        require(!handler.droppedLate(), "a set already in force was dropped");
        require(!handler.lapsedGuardianActed(), "a guardian whose term ended changed something");
    }

    /// @dev Every value in force, voted or pending is within its key's bounds and on its step.
    function _valuesAreWithinBounds() private view {
        for (uint256 i = 0; i < keys.length; ++i) {
            INetworkParameters.Spec memory spec = parameters.spec(keys[i]);
            if (spec.kind == INetworkParameters.Kind.Bytes32) continue;
            _requireLegal(spec, uint256(parameters.get(keys[i])));
            _requireLegal(spec, uint256(parameters.getVoted(keys[i])));
            (uint256 setId, bytes32 value,) = parameters.pending(keys[i]);
            if (setId != 0) _requireLegal(spec, uint256(value));
        }
    }

    /// @dev What a past time read as once, it reads as forever.
    function _pastNeverChanges() private view {
        uint256 count = handler.observationCount();
        for (uint256 i = 0; i < count; ++i) {
            (bytes32 key, uint48 time, bytes32 value) = handler.observations(i);
            if (time < block.timestamp) {
                require(parameters.getAt(key, time) == value, "the past changed");
            }
        }
    }

    /// @dev The relations hold for what is in force, or once everything pending is.
    function _requireRelations(bool later) private view {
        uint256 splits = _value("rewards.split_provider", later) + _value("rewards.split_verifier", later)
            + _value("rewards.split_treasury", later) + _value("rewards.split_research", later)
            + _value("rewards.split_green", later) + _value("rewards.split_community", later);
        require(splits == 10_000, "I1");
        require(
            _value("stake.unbonding_period", later)
                >= _value("slash.dispute_window", later) + _value("attest.ttl", later) + _value("rewards.lock", later),
            "I2"
        );
        require(
            _value("market.reclaim_window_min", later) <= _value("market.reclaim_window_max", later), "I4"
        );
        require(_value("slash.downtime", later) <= _value("slash.challenge_fail", later), "I5");
        require(_value("slash.challenge_fail", later) <= _value("slash.spoof", later), "I5");
        require(_value("slash.spoof", later) <= _value("slash.case_max", later), "I5");
        require(_value("attest.ttl", later) >= 2 * _value("attest.report_interval", later), "I6");
        require(_value("attest.nonce_ttl", later) >= 60 + _value("attest.clock_skew", later), "I7");
        require(_value("treasury.tx_cap", later) <= _value("treasury.cap_30d", later), "I9");
        uint256 weights = _value("market.match_weight_price", later) + _value("market.match_weight_perf", later)
            + _value("market.match_weight_reputation", later) + _value("market.match_weight_carbon", later);
        require(weights == 10_000, "I11");
    }

    function _value(string memory name, bool later) private view returns (uint256) {
        bytes32 key = keyOf(name);
        (uint256 setId, bytes32 pendingValue,) = parameters.pending(key);
        return uint256(later && setId != 0 ? pendingValue : parameters.get(key));
    }

    function _requireLegal(INetworkParameters.Spec memory spec, uint256 value) private pure {
        require(value >= spec.min && value <= spec.max, "out of bounds");
        require((value - spec.min) % spec.step == 0, "off step");
    }
}
