// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {INetworkParameters} from "../interfaces/INetworkParameters.sol";
import {ParameterInvariants} from "./ParameterInvariants.sol";
import {ParameterStore} from "./ParameterStore.sol";

/// @dev What a value, a change and a set of changes must satisfy. Every refusal names its exact reason.
abstract contract ParameterRules is ParameterStore {
    uint256 private constant BPS = 10_000;

    /// @inheritdoc INetworkParameters
    function validate(bytes32[] calldata keys_, bytes32[] calldata values) external view {
        if (keys_.length != values.length) {
            revert ParameterLengthMismatch(keys_.length, keys_.length, values.length);
        }
        _validateSet(keys_, values, true);
    }

    /// @inheritdoc INetworkParameters
    function allowedRange(bytes32 key) external view returns (uint256 lowest, uint256 highest) {
        Parameter storage parameter = _parameter(key);
        Spec memory rules = parameter.spec;
        if (rules.kind == Kind.Bytes32) {
            return (0, type(uint256).max);
        }
        uint256 current = _votedNow(parameter);
        uint256 allowed = _allowedChange(rules, current);
        lowest = Math.max(rules.min, Math.saturatingSub(current, allowed));
        highest = Math.min(rules.max, current + allowed);
    }

    /// @inheritdoc INetworkParameters
    function allowedAt(bytes32 key) external view returns (uint48) {
        Parameter storage parameter = _parameter(key);
        return _allowedAt(_lastChangedAt(parameter), parameter.spec.minIntervalS);
    }

    /// @dev Checks a set on the values after it; `limited` adds the limits on how far and how often a key may move.
    function _validateSet(bytes32[] memory keys_, bytes32[] memory values, bool limited) internal view {
        if (keys_.length == 0) {
            revert ParameterSetEmpty();
        }
        uint256 relations = 0;
        for (uint256 i = 0; i < keys_.length; ++i) {
            if (i > 0 && keys_[i] <= keys_[i - 1]) {
                revert ParameterKeysNotAscending(keys_[i]);
            }
            Parameter storage parameter = _parameter(keys_[i]);
            _requireNotPending(keys_[i], parameter);
            _requireWithinBounds(keys_[i], parameter.spec, uint256(values[i]));
            if (limited) {
                _requireWithinLimits(keys_[i], parameter, uint256(values[i]));
            }
            relations |= parameter.relations;
        }
        _requireInvariants(relations, keys_, values);
    }

    function _requireWithinBounds(bytes32 key, Spec memory rules, uint256 value) internal pure {
        if (rules.kind == Kind.Bytes32) {
            return;
        }
        if (value < rules.min || value > rules.max) {
            revert ParameterOutOfBounds(key, value, rules.min, rules.max);
        }
        if ((value - rules.min) % rules.step != 0) {
            revert ParameterOffStep(key, value, rules.step);
        }
    }

    /// @dev How far `to` may be from `from`.
    function _requireChangeAllowed(bytes32 key, Spec memory rules, uint256 from, uint256 to) internal pure {
        if (rules.kind == Kind.Bytes32) {
            return;
        }
        uint256 allowed = _allowedChange(rules, from);
        if ((from > to ? from - to : to - from) > allowed) {
            revert ParameterChangeTooLarge(key, from, to, allowed);
        }
    }

    function _requireNotPending(bytes32 key, Parameter storage parameter) internal view {
        if (_isPending(parameter)) {
            revert ParameterPending(key, parameter.pendingSetId);
        }
    }

    /// @dev Checks the relations of a bitmap on the values after a set; one over an undefined key is skipped.
    function _requireInvariants(uint256 relations, bytes32[] memory keys_, bytes32[] memory values) internal view {
        for (uint256 i = 0; i < ParameterInvariants.COUNT; ++i) {
            if ((relations >> i) & 1 == 0) {
                continue;
            }
            ParameterInvariants.Relation memory relation = ParameterInvariants.relationAt(i);
            (bool complete, uint256[] memory after_) = _valuesAfter(relation.keys, keys_, values);
            if (complete && !ParameterInvariants.holds(relation, after_)) {
                revert ParameterInvariantViolated(relation.id);
            }
        }
    }

    /// @dev A spec that could not be met, or that overflows the invariants' arithmetic, is refused when it is defined.
    function _requireValidSpec(bytes32 key, Spec memory rules, uint16 relations) internal pure {
        bool numeric = rules.kind != Kind.Bytes32;
        bool valid = numeric
            ? rules.min <= rules.max && rules.step != 0 && (rules.max - rules.min) % rules.step == 0
            : rules.min == 0 && rules.max == 0 && rules.step == 0 && rules.tighten == Direction.None;
        // A tightening moves one key alone, so it could break a relation that holds for the voted values.
        if (!valid || rules.max > uint128(type(int128).max) || (rules.tighten != Direction.None && relations != 0)) {
            revert ParameterSpecInvalid(key);
        }
    }

    function _requireWithinLimits(bytes32 key, Parameter storage parameter, uint256 value) private view {
        Spec memory rules = parameter.spec;
        uint256 current = _votedNow(parameter);
        if (value == current) {
            revert ParameterUnchanged(key);
        }
        _requireChangeAllowed(key, rules, current, value);
        uint48 earliest = _allowedAt(_lastChangedAt(parameter), rules.minIntervalS);
        if (block.timestamp < earliest) {
            revert ParameterChangedTooRecently(key, earliest);
        }
    }

    /// @dev The values of a relation's keys after a set: from the set, else as voted now. A key that shares the
    /// relation and is pending blocks the set, since its value is about to be another one.
    function _valuesAfter(
        bytes32[] memory wanted,
        bytes32[] memory keys_,
        bytes32[] memory values
    ) private view returns (bool complete, uint256[] memory after_) {
        after_ = new uint256[](wanted.length);
        complete = true;
        for (uint256 i = 0; i < wanted.length; ++i) {
            Parameter storage parameter = _parameterOrNone(wanted[i]);
            if (!parameter.defined) {
                complete = false;
                continue;
            }
            _requireNotPending(wanted[i], parameter);
            (bool found, uint256 value) = _lookup(wanted[i], keys_, values);
            after_[i] = found ? value : _votedNow(parameter);
        }
    }

    function _lookup(
        bytes32 key,
        bytes32[] memory keys_,
        bytes32[] memory values
    ) private pure returns (bool, uint256) {
        for (uint256 i = 0; i < keys_.length; ++i) {
            if (keys_[i] == key) {
                return (true, uint256(values[i]));
            }
        }
        return (false, 0);
    }

    function _allowedChange(Spec memory rules, uint256 current) private pure returns (uint256) {
        uint256 relative = Math.mulDiv(current, rules.maxRelBps, BPS, Math.Rounding.Ceil);
        return Math.max(Math.max(rules.maxAbs, relative), rules.step);
    }

    function _allowedAt(uint48 changedAt, uint32 minIntervalS) private pure returns (uint48) {
        return changedAt == 0 ? 0 : changedAt + minIntervalS;
    }
}
