// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IGuardianSource} from "./interfaces/IGuardianSource.sol";
import {INetworkParameters} from "./interfaces/INetworkParameters.sol";
import {ParameterInvariants} from "./parameters/ParameterInvariants.sol";
import {ParameterRules} from "./parameters/ParameterRules.sol";

/**
 * @title The parameters of the GPU network
 * @dev Who may change what and when it takes effect; {ParameterRules} says what a change must satisfy and
 * {ParameterStore} how values are kept.
 */
contract NetworkParameters is ParameterRules {
    uint48 private constant EPOCH = 1 days;
    uint48 private constant EPOCH_NOTICE = 1 hours;
    uint48 private constant UNDO_WINDOW = 30 days;
    uint48 private constant TIGHTEN_INTERVAL = 30 days;
    bytes32 private constant S_EXTRA_DELAY = keccak256("meta.s_extra_delay");
    bytes32 private constant C_EXTRA_DELAY = keccak256("meta.c_extra_delay");
    bytes32 private constant GUARDIAN_TIGHTEN_MAX = keccak256("meta.guardian_tighten_max");

    address private immutable _timelock;
    address private immutable _governor;
    address private immutable _deployer;
    uint48 private immutable _genesisAt;

    bool private _sealed;
    uint256 private _version;
    mapping(uint256 setId => ParameterSet) private _sets;

    modifier onlyTimelock() {
        if (msg.sender != _timelock) {
            revert ParameterUnauthorized(msg.sender);
        }
        if (!_sealed) {
            revert ParametersNotSealed();
        }
        _;
    }

    modifier onlyGuardian() {
        if (!IGuardianSource(_governor).isGuardian(msg.sender)) {
            revert ParameterUnauthorized(msg.sender);
        }
        _;
    }

    modifier onlyDeployer() {
        if (msg.sender != _deployer) {
            revert ParameterUnauthorized(msg.sender);
        }
        if (_sealed) {
            revert ParametersAlreadySealed();
        }
        _;
    }

    constructor(address timelock_, address governor_) {
        // The deployment reads both back; with a zero address nothing could be changed, by nobody.
        // slither-disable-start missing-zero-check
        _timelock = timelock_;
        _governor = governor_;
        // slither-disable-end missing-zero-check
        _deployer = msg.sender;
        _genesisAt = Time.timestamp();
    }

    /// @inheritdoc INetworkParameters
    function defineGenesis(Definition[] calldata definitions) external onlyDeployer {
        for (uint256 i = 0; i < definitions.length; ++i) {
            _define(definitions[i]);
        }
    }

    /// @inheritdoc INetworkParameters
    function seal() external onlyDeployer {
        // Later sets read these three; without them no sensitive change would wait.
        _parameter(S_EXTRA_DELAY);
        _parameter(C_EXTRA_DELAY);
        _parameter(GUARDIAN_TIGHTEN_MAX);
        _requireInvariants(type(uint256).max, new bytes32[](0), new bytes32[](0));
        _sealed = true;
        emit ParametersSealed();
    }

    /// @inheritdoc INetworkParameters
    function defineParameter(Definition calldata definition) external onlyTimelock {
        bytes32 key = _define(definition);
        _requireInvariants(_parameter(key).relations, new bytes32[](0), new bytes32[](0));
    }

    /// @inheritdoc INetworkParameters
    function redefineParameter(bytes32 key, Spec calldata newSpec) external onlyTimelock {
        Parameter storage parameter = _parameter(key);
        _requireNotPending(key, parameter);
        Tightening memory last = _lastTightening(parameter);
        if (newSpec.kind != parameter.spec.kind || block.timestamp < last.until) {
            revert ParameterSpecInvalid(key);
        }
        _requireValidSpec(key, newSpec, parameter.relations);
        _requireWithinBounds(key, newSpec, _votedNow(parameter));
        parameter.spec = newSpec;
        emit ParameterRedefined(key, newSpec);
    }

    /// @inheritdoc INetworkParameters
    function set(
        bytes32[] calldata keys_,
        bytes32[] calldata expected,
        bytes32[] calldata values
    ) external onlyTimelock {
        if (keys_.length != expected.length || keys_.length != values.length) {
            revert ParameterLengthMismatch(keys_.length, expected.length, values.length);
        }
        _requireVoted(keys_, expected);
        _validateSet(keys_, values, true);
        _accept(keys_, expected, values, 0);
    }

    /// @inheritdoc INetworkParameters
    function veto(uint256 setId) external onlyGuardian {
        _drop(setId, SetStatus.Vetoed);
        emit ParameterSetVetoed(setId);
    }

    /// @inheritdoc INetworkParameters
    function withdraw(uint256 setId) external onlyTimelock {
        _drop(setId, SetStatus.Withdrawn);
        emit ParameterSetWithdrawn(setId);
    }

    /// @inheritdoc INetworkParameters
    function undo(uint256 setId) external onlyTimelock {
        ParameterSet storage set_ = _knownSet(setId);
        // Undoing an undo would move the keys forth again, free of their limits.
        if (set_.status != SetStatus.Accepted || set_.undoOf != 0 || block.timestamp < set_.effectiveAt) {
            revert ParameterSetNotUndoable(setId);
        }
        if (block.timestamp > set_.effectiveAt + UNDO_WINDOW) {
            revert ParameterUndoWindowClosed(setId, set_.effectiveAt + UNDO_WINDOW);
        }
        bytes32[] memory keys_ = set_.keys;
        bytes32[] memory before = set_.oldValues;
        bytes32[] memory current = set_.newValues;
        _requireVoted(keys_, current);
        _validateSet(keys_, before, false);
        set_.status = SetStatus.Undone;
        uint256 bySetId = _accept(keys_, current, before, setId);
        emit ParameterSetUndone(setId, bySetId);
    }

    /// @inheritdoc INetworkParameters
    function tighten(bytes32 key, bytes32 value) external onlyGuardian {
        Parameter storage parameter = _parameter(key);
        Spec memory rules = parameter.spec;
        if (rules.tighten == Direction.None) {
            revert ParameterNotTightenable(key);
        }
        Tightening memory last = _lastTightening(parameter);
        if (last.from != 0 && block.timestamp < last.from + TIGHTEN_INTERVAL) {
            revert ParameterTightenedTooRecently(key, last.from + TIGHTEN_INTERVAL);
        }
        uint256 to = uint256(value);
        uint256 current = _votedNow(parameter);
        if (to == current || _stricter(rules.tighten, current, to) != to) {
            revert ParameterNotTighter(key, current, to);
        }
        _requireWithinBounds(key, rules, to);
        _requireChangeAllowed(key, rules, current, to);
        uint48 lapsesAt = Time.timestamp() + uint48(_votedNow(_parameter(GUARDIAN_TIGHTEN_MAX)));
        parameter.tightenings.push(Tightening(Time.timestamp(), lapsesAt, rules.tighten, to));
        emit ParameterTightened(key, bytes32(current), value, lapsesAt);
    }

    /// @inheritdoc INetworkParameters
    function version() external view returns (uint256) {
        return _version;
    }

    /// @inheritdoc INetworkParameters
    function parameterSet(uint256 setId) external view returns (ParameterSet memory) {
        return _knownSet(setId);
    }

    /// @inheritdoc INetworkParameters
    function isSealed() external view returns (bool) {
        return _sealed;
    }

    /// @inheritdoc INetworkParameters
    function deployer() external view returns (address) {
        return _deployer;
    }

    /// @inheritdoc INetworkParameters
    function timelock() external view returns (address) {
        return _timelock;
    }

    /// @inheritdoc INetworkParameters
    function governor() external view returns (address) {
        return _governor;
    }

    /// @inheritdoc INetworkParameters
    function genesisAt() external view returns (uint48) {
        return _genesisAt;
    }

    /// @inheritdoc INetworkParameters
    function epochAt(uint48 timestamp) public view returns (uint256) {
        return (timestamp - _genesisAt) / EPOCH;
    }

    function _define(Definition calldata definition) private returns (bytes32 key) {
        key = keccak256(bytes(definition.name));
        if (_parameterOrNone(key).defined) {
            revert ParameterAlreadyDefined(key);
        }
        uint16 relations = ParameterInvariants.maskOf(key);
        _requireValidSpec(key, definition.spec, relations);
        _requireWithinBounds(key, definition.spec, uint256(definition.value));
        _create(key, definition, relations);
        emit ParameterDefined(key, definition.name, definition.spec, definition.value);
    }

    function _requireVoted(bytes32[] memory keys_, bytes32[] memory expected) private view {
        for (uint256 i = 0; i < keys_.length; ++i) {
            bytes32 actual = bytes32(_votedNow(_parameter(keys_[i])));
            if (actual != expected[i]) {
                revert ParameterUnexpectedValue(keys_[i], expected[i], actual);
            }
        }
    }

    function _accept(
        bytes32[] memory keys_,
        bytes32[] memory oldValues,
        bytes32[] memory newValues,
        uint256 undoOf
    ) private returns (uint256 setId) {
        setId = ++_version;
        uint48 effectiveAt = _effectiveAt(keys_);
        _sets[setId] = ParameterSet({
            status: SetStatus.Accepted,
            acceptedAt: Time.timestamp(),
            effectiveAt: effectiveAt,
            undoOf: undoOf,
            keys: keys_,
            oldValues: oldValues,
            newValues: newValues
        });
        emit ParameterSetScheduled(setId, setId, effectiveAt);
        for (uint256 i = 0; i < keys_.length; ++i) {
            _write(keys_[i], uint256(newValues[i]), effectiveAt, setId);
            emit ParameterChanged(keys_[i], oldValues[i], newValues[i], effectiveAt, setId, setId);
        }
    }

    /// @dev The longest delay and the latest activation among the keys hold for the whole set.
    function _effectiveAt(bytes32[] memory keys_) private view returns (uint48 effectiveAt) {
        Class class = Class.Routine;
        bool atEpoch = false;
        for (uint256 i = 0; i < keys_.length; ++i) {
            Spec memory rules = _parameter(keys_[i]).spec;
            if (rules.changeClass > class) {
                class = rules.changeClass;
            }
            atEpoch = atEpoch || rules.activation == Activation.Epoch;
        }
        effectiveAt = Time.timestamp() + _extraDelay(class);
        if (atEpoch) {
            uint256 epoch = epochAt(effectiveAt + EPOCH_NOTICE - 1) + 1;
            effectiveAt = _genesisAt + uint48(epoch) * EPOCH;
        }
    }

    function _extraDelay(Class class) private view returns (uint48) {
        if (class == Class.Routine) {
            return 0;
        }
        uint256 sensitive = _votedNow(_parameter(S_EXTRA_DELAY));
        uint256 constitutional = _votedNow(_parameter(C_EXTRA_DELAY));
        // The two keys are no invariant of each other; a constitutional change never waits less than a sensitive one.
        return uint48(class == Class.Sensitive || sensitive > constitutional ? sensitive : constitutional);
    }

    function _drop(uint256 setId, SetStatus status) private {
        ParameterSet storage set_ = _knownSet(setId);
        if (set_.status != SetStatus.Accepted || block.timestamp >= set_.effectiveAt) {
            revert ParameterSetNotPending(setId);
        }
        set_.status = status;
        bytes32[] memory keys_ = set_.keys;
        for (uint256 i = 0; i < keys_.length; ++i) {
            _dropPending(keys_[i]);
        }
        // A dropped undo leaves the set it meant to undo as it was.
        if (set_.undoOf != 0) {
            _sets[set_.undoOf].status = SetStatus.Accepted;
        }
    }

    function _knownSet(uint256 setId) private view returns (ParameterSet storage set_) {
        set_ = _sets[setId];
        if (set_.status == SetStatus.None) {
            revert ParameterSetUnknown(setId);
        }
    }
}
