// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAlthingGovernor} from "../../../contracts/interfaces/IAlthingGovernor.sol";
import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {Vm} from "./Vm.sol";

/// @dev Acts as the timelock, the guardian and the clock. A refused act is no failure; an accepted one is judged here,
/// by figures kept apart from the contract's.
contract ParametersHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct Observation {
        bytes32 key;
        uint48 time;
        bytes32 value;
    }

    INetworkParameters private immutable _parameters;
    address private immutable _timelock;
    address private immutable _guardian;
    bytes32[] private _keys;
    // Relations that bind two or more keys get sets of their own: single changes would mostly be refused.
    bytes32[2][] private _pairs;
    mapping(bytes32 key => uint256 time) private _changedAt;

    Observation[] public observations;
    bool public limitBroken;
    bool public lapsedGuardianActed;
    bool public droppedLate;
    uint256 public vetoed;
    uint256 public accepted;

    constructor(INetworkParameters parameters, address timelock, address guardian) {
        (_parameters, _timelock, _guardian) = (parameters, timelock, guardian);
        _keys = parameters.keys();
        _addPair("rewards.split_provider", "rewards.split_treasury");
        _addPair("market.match_weight_price", "market.match_weight_carbon");
        _addPair("attest.ttl", "attest.report_interval");
        _addPair("slash.spoof", "slash.case_max");
    }

    function observationCount() external view returns (uint256) {
        return observations.length;
    }

    function changeOne(uint256 keySeed, uint256 steps, bool up) external {
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = _keys[keySeed % _keys.length];
        values[0] = bytes32(_moved(keys[0], steps, up));
        _change(keys, values);
    }

    /// @dev Moves two keys that share a relation by the same amount in opposite directions.
    function changePair(uint256 pairSeed, uint256 steps, bool up) external {
        bytes32[2] storage chosen = _pairs[pairSeed % _pairs.length];
        bytes32[] memory keys = new bytes32[](2);
        bytes32[] memory values = new bytes32[](2);
        (keys[0], keys[1]) = (chosen[0], chosen[1]);
        values[0] = bytes32(_moved(keys[0], steps, up));
        values[1] = bytes32(_moved(keys[1], steps, !up));
        _change(keys, values);
    }

    function veto(uint256 setSeed) external {
        uint256 setId = _setId(setSeed);
        _observePastOf(setId);
        vm.prank(_guardian);
        try _parameters.veto(setId) {
            ++vetoed;
            _requireLiveGuardian();
            _forgetPending(setId);
        } catch {}
    }

    function withdraw(uint256 setSeed) external {
        uint256 setId = _setId(setSeed);
        _observePastOf(setId);
        vm.prank(_timelock);
        try _parameters.withdraw(setId) {
            _forgetPending(setId);
        } catch {}
    }

    function undo(uint256 setSeed) external {
        uint256 setId = _setId(setSeed);
        vm.prank(_timelock);
        try _parameters.undo(setId) {
            INetworkParameters.ParameterSet memory undone = _parameters.parameterSet(_parameters.version());
            for (uint256 i = 0; i < undone.keys.length; ++i) {
                _changedAt[undone.keys[i]] = undone.effectiveAt;
            }
        } catch {}
    }

    function tighten(uint256 keySeed, uint256 steps) external {
        bytes32 key = _keys[keySeed % _keys.length];
        INetworkParameters.Direction direction = _parameters.spec(key).tighten;
        if (direction == INetworkParameters.Direction.None) return;
        uint256 value = _moved(key, steps, direction == INetworkParameters.Direction.Up);
        bytes32 before = _parameters.get(key);
        _observePast(key);
        vm.prank(_guardian);
        try _parameters.tighten(key, bytes32(value)) {
            _requireLiveGuardian();
            uint256 now_ = uint256(_parameters.get(key));
            bool stricter =
                direction == INetworkParameters.Direction.Up ? now_ >= uint256(before) : now_ <= uint256(before);
            require(stricter, "a tightening loosened");
        } catch {}
    }

    function wait(uint256 seconds_) external {
        _observe(seconds_);
        // Mostly hours, sometimes weeks, so that both pending sets and their ends are met.
        vm.warp(block.timestamp + 1 + (seconds_ % (seconds_ % 5 == 0 ? 20 days : 12 hours)));
    }

    /// @dev To the moment a set takes effect: where dropping it and changing its keys again are tempting.
    function waitForEffect(uint256 setSeed) external {
        uint256 setId = _setId(setSeed);
        if (setId == 0) return;
        uint48 effectiveAt = _parameters.parameterSet(setId).effectiveAt;
        if (effectiveAt > block.timestamp) {
            vm.warp(effectiveAt + 1);
        }
    }

    function _change(bytes32[] memory keys, bytes32[] memory values) private {
        bytes32[] memory before = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            before[i] = _parameters.getVoted(keys[i]);
            _observePast(keys[i]);
        }
        vm.prank(_timelock);
        try _parameters.set(keys, before, values) {
            ++accepted;
            uint48 effectiveAt = _parameters.parameterSet(_parameters.version()).effectiveAt;
            for (uint256 i = 0; i < keys.length; ++i) {
                _judge(keys[i], uint256(before[i]), uint256(values[i]));
                _changedAt[keys[i]] = effectiveAt;
            }
        } catch {}
    }

    function _judge(bytes32 key, uint256 from, uint256 to) private {
        INetworkParameters.Spec memory spec = _parameters.spec(key);
        if (_changedAt[key] != 0 && block.timestamp < _changedAt[key] + spec.minIntervalS) {
            limitBroken = true;
        }
        if (spec.kind == INetworkParameters.Kind.Bytes32) return;
        uint256 most = (from * spec.maxRelBps + 9_999) / 10_000;
        most = most > spec.maxAbs ? most : spec.maxAbs;
        most = most > spec.step ? most : spec.step;
        if ((from > to ? from - to : to - from) > most) {
            limitBroken = true;
        }
    }

    /// @dev Only what is not in force yet can be dropped.
    ///
    /// A dropped set gave its keys their interval back; only an earlier bound is kept, so judge no interval then.
    function _forgetPending(uint256 setId) private {
        INetworkParameters.ParameterSet memory dropped = _parameters.parameterSet(setId);
        if (block.timestamp >= dropped.effectiveAt) droppedLate = true;
        bytes32[] memory keys = dropped.keys;
        for (uint256 i = 0; i < keys.length; ++i) {
            _changedAt[keys[i]] = 0;
        }
    }

    function _observe(uint256 seed) private {
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 key = _keys[(seed >> (i * 8)) % _keys.length];
            observations.push(Observation(key, uint48(block.timestamp), _parameters.get(key)));
        }
    }

    /// @dev The past of a key that is about to change is the one that could be changed with it.
    function _observePast(bytes32 key) private {
        uint48 time = uint48(block.timestamp - 1);
        observations.push(Observation(key, time, _parameters.getAt(key, time)));
    }

    function _observePastOf(uint256 setId) private {
        if (setId == 0) return;
        bytes32[] memory keys = _parameters.parameterSet(setId).keys;
        for (uint256 i = 0; i < keys.length; ++i) {
            _observePast(keys[i]);
        }
    }

    function _requireLiveGuardian() private {
        // Not `isGuardian`: that is what is judged.
        if (block.timestamp >= IAlthingGovernor(_parameters.governor()).guardianUntil()) {
            lapsedGuardianActed = true;
        }
    }

    function _moved(bytes32 key, uint256 steps, bool up) private view returns (uint256) {
        INetworkParameters.Spec memory spec = _parameters.spec(key);
        uint256 current = uint256(_parameters.getVoted(key));
        if (spec.kind == INetworkParameters.Kind.Bytes32) return steps;
        uint256 delta = (1 + (steps % 4)) * spec.step;
        if (up) return current + delta;
        return current > delta ? current - delta : 0;
    }

    function _setId(uint256 seed) private view returns (uint256) {
        // The newest few are the ones that can still be dropped or undone.
        uint256 version = _parameters.version();
        uint256 back = seed % 4;
        return version > back ? version - back : version;
    }

    function _addPair(string memory a, string memory b) private {
        bytes32 first = keccak256(bytes(a));
        bytes32 second = keccak256(bytes(b));
        _pairs.push(first < second ? [first, second] : [second, first]);
    }
}
