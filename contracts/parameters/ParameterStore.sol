// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {INetworkParameters} from "../interfaces/INetworkParameters.sol";

/**
 * @dev What is kept per key, and reading it at any time.
 *
 * A voted value lives in a checkpoint trace keyed by the time it took effect. A value that is not effective yet waits
 * beside the trace and is read lazily once its time has come, so nobody has to send a transaction then; the next write
 * to the key moves it into the trace under that same time. A guardian tightening is an interval laid over the voted
 * values: within it the stricter of the two is in force. None of this can change what a past time reads as.
 */
abstract contract ParameterStore is INetworkParameters {
    using Checkpoints for Checkpoints.Trace256;

    /// @dev The direction is kept because the key's rules may be replaced later, which must not change the past.
    struct Tightening {
        uint48 from;
        uint48 until;
        Direction direction;
        uint256 value;
    }

    struct Parameter {
        bool defined;
        uint16 relations;
        uint48 changedAt;
        uint48 pendingAt;
        uint128 pendingSetId;
        uint256 pendingValue;
        Spec spec;
        string name;
        Checkpoints.Trace256 voted;
        Tightening[] tightenings;
    }

    bytes32[] private _keys;
    mapping(bytes32 key => Parameter) private _parameters;

    /// @inheritdoc INetworkParameters
    function get(bytes32 key) external view returns (bytes32) {
        return bytes32(_valueAt(_parameter(key), Time.timestamp()));
    }

    /// @inheritdoc INetworkParameters
    function getAt(bytes32 key, uint48 timestamp) external view returns (bytes32) {
        Parameter storage parameter = _parameter(key);
        if (timestamp >= block.timestamp) {
            revert ParameterFutureLookup(timestamp, block.timestamp);
        }
        if (timestamp < parameter.voted.at(0)._key) {
            revert ParameterUndefinedAt(key, timestamp);
        }
        return bytes32(_valueAt(parameter, timestamp));
    }

    /// @inheritdoc INetworkParameters
    function getVoted(bytes32 key) external view returns (bytes32) {
        return bytes32(_votedNow(_parameter(key)));
    }

    /// @inheritdoc INetworkParameters
    function keys() external view returns (bytes32[] memory) {
        return _keys;
    }

    /// @inheritdoc INetworkParameters
    function isDefined(bytes32 key) external view returns (bool) {
        return _parameters[key].defined;
    }

    /// @inheritdoc INetworkParameters
    function nameOf(bytes32 key) external view returns (string memory) {
        return _parameter(key).name;
    }

    /// @inheritdoc INetworkParameters
    function spec(bytes32 key) external view returns (Spec memory) {
        return _parameter(key).spec;
    }

    /// @inheritdoc INetworkParameters
    function pending(bytes32 key) external view returns (uint256 setId, bytes32 value, uint48 effectiveAt) {
        Parameter storage parameter = _parameter(key);
        if (_isPending(parameter)) {
            return (parameter.pendingSetId, bytes32(parameter.pendingValue), parameter.pendingAt);
        }
    }

    /// @inheritdoc INetworkParameters
    function tightening(bytes32 key) external view returns (bytes32 value, uint48 lapsesAt) {
        Tightening memory last = _lastTightening(_parameter(key));
        if (block.timestamp < last.until) {
            return (bytes32(last.value), last.until);
        }
    }

    function _parameter(bytes32 key) internal view returns (Parameter storage parameter) {
        parameter = _parameters[key];
        if (!parameter.defined) {
            revert ParameterUnknown(key);
        }
    }

    /// @dev The key's storage whether it is defined or not.
    function _parameterOrNone(bytes32 key) internal view returns (Parameter storage) {
        return _parameters[key];
    }

    /// @dev Creates the key with its first value in force from now on.
    function _create(
        bytes32 key,
        Definition calldata definition,
        uint16 relations
    ) internal {
        Parameter storage parameter = _parameters[key];
        parameter.defined = true;
        parameter.relations = relations;
        parameter.spec = definition.spec;
        parameter.name = definition.name;
        _record(parameter, Time.timestamp(), uint256(definition.value));
        _keys.push(key);
    }

    /// @dev Gives the key a value from `effectiveAt` on, at once or pending. The key must not be pending.
    function _write(bytes32 key, uint256 value, uint48 effectiveAt, uint256 setId) internal {
        Parameter storage parameter = _parameter(key);
        _settle(parameter);
        if (effectiveAt > block.timestamp) {
            parameter.pendingAt = effectiveAt;
            parameter.pendingSetId = SafeCast.toUint128(setId);
            parameter.pendingValue = value;
        } else {
            _record(parameter, effectiveAt, value);
            parameter.changedAt = effectiveAt;
        }
    }

    /// @dev Forgets the pending value of a key.
    function _dropPending(bytes32 key) internal {
        Parameter storage parameter = _parameter(key);
        parameter.pendingAt = 0;
        parameter.pendingSetId = 0;
        parameter.pendingValue = 0;
    }

    function _isPending(Parameter storage parameter) internal view returns (bool) {
        return parameter.pendingAt > block.timestamp;
    }

    /// @dev When the key last changed by vote, or zero.
    function _lastChangedAt(Parameter storage parameter) internal view returns (uint48) {
        uint48 pendingAt = parameter.pendingAt;
        return pendingAt != 0 && pendingAt <= block.timestamp ? pendingAt : parameter.changedAt;
    }

    function _votedNow(Parameter storage parameter) internal view returns (uint256) {
        return _votedAt(parameter, Time.timestamp());
    }

    /// @dev The newest tightening, zeros if there never was one.
    function _lastTightening(Parameter storage parameter) internal view returns (Tightening memory last) {
        Tightening[] storage all = parameter.tightenings;
        if (all.length != 0) {
            last = all[all.length - 1];
        }
    }

    /// @dev The stricter of two values in a key's tighten direction.
    function _stricter(Direction direction, uint256 a, uint256 b) internal pure returns (uint256) {
        return (direction == Direction.Up) == (a > b) ? a : b;
    }

    /// @dev Moves a pending value whose time has come into the trace, under that time.
    function _settle(Parameter storage parameter) private {
        uint48 pendingAt = parameter.pendingAt;
        if (pendingAt != 0 && pendingAt <= block.timestamp) {
            _record(parameter, pendingAt, parameter.pendingValue);
            parameter.changedAt = pendingAt;
            parameter.pendingAt = 0;
            parameter.pendingSetId = 0;
            parameter.pendingValue = 0;
        }
    }

    function _record(Parameter storage parameter, uint48 from, uint256 value) private {
        // What is returned is the value before and after; the callers know both.
        // slither-disable-next-line unused-return
        parameter.voted.push(from, value);
    }

    function _votedAt(Parameter storage parameter, uint48 timestamp) private view returns (uint256) {
        uint48 pendingAt = parameter.pendingAt;
        if (pendingAt != 0 && pendingAt <= timestamp) {
            return parameter.pendingValue;
        }
        return parameter.voted.upperLookupRecent(timestamp);
    }

    function _valueAt(Parameter storage parameter, uint48 timestamp) private view returns (uint256 value) {
        value = _votedAt(parameter, timestamp);
        Tightening[] storage all = parameter.tightenings;
        // Newest first: tightenings are 30 days apart, so recent times are found at once.
        for (uint256 i = all.length; i > 0; --i) {
            Tightening storage entry = all[i - 1];
            if (timestamp >= entry.from) {
                return timestamp < entry.until ? _stricter(entry.direction, value, entry.value) : value;
            }
        }
    }
}
