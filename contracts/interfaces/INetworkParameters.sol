// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @title The typed, bounded and rate-limited parameters of the GPU network
 * @notice A key is `keccak256(bytes(name))`, for example `keccak256("attest.ttl")`. Numeric kinds keep a `uint256`
 * inside the `bytes32` value. Amounts are in wei of the token, times in seconds, shares in basis points.
 */
interface INetworkParameters {
    /// @dev What a value means. `BYTES32` alone has no bounds; it holds Merkle roots.
    enum Kind {
        Uint,
        Bps,
        Seconds,
        TokenWei,
        Enum,
        Bitmask,
        Bytes32
    }

    /// @dev Sensitive and Constitutional keys wait `meta.s_extra_delay` / `meta.c_extra_delay` after execution.
    enum Class {
        Routine,
        Sensitive,
        Constitutional
    }

    /// @dev `Now`: when the delay is over. `Epoch`: at the first epoch boundary at least an hour later. `New`: as `Now`,
    /// for agreements made afterwards; readers of such a key use {getAt} with the time their agreement was made.
    enum Activation {
        Now,
        Epoch,
        New
    }

    /// @dev The direction in which the guardian may move a key at once and for a while, see {tighten}.
    enum Direction {
        None,
        Up,
        Down
    }

    enum SetStatus {
        None,
        Accepted,
        Vetoed,
        Withdrawn,
        Undone
    }

    /**
     * @dev The rules of one key.
     *
     * A numeric value must lie in `[min, max]` with `(value - min) % step == 0`, and one change may move it by at most
     * `max(maxAbs, ceil(current * maxRelBps / 10000), step)`, no sooner than `minIntervalS` after the last change.
     */
    struct Spec {
        Kind kind;
        Class changeClass;
        Activation activation;
        Direction tighten;
        uint128 min;
        uint128 max;
        uint128 step;
        uint128 maxAbs;
        uint32 maxRelBps;
        uint32 minIntervalS;
    }

    /// @dev A key's name, rules and first value, as given when it is defined.
    struct Definition {
        string name;
        Spec spec;
        bytes32 value;
    }

    /// @dev One change by vote. `undoOf` is the set this one undoes, or zero.
    struct ParameterSet {
        SetStatus status;
        uint48 acceptedAt;
        uint48 effectiveAt;
        uint256 undoOf;
        bytes32[] keys;
        bytes32[] oldValues;
        bytes32[] newValues;
    }

    event ParameterDefined(bytes32 indexed key, string name, Spec spec, bytes32 value);
    event ParameterRedefined(bytes32 indexed key, Spec spec);
    event ParametersSealed();

    /// @dev Emitted once per accepted set, before its {ParameterChanged}. `effectiveAt` is now for a set without delay.
    event ParameterSetScheduled(uint256 indexed setId, uint256 indexed version, uint48 effectiveAt);
    event ParameterChanged(
        bytes32 indexed key,
        bytes32 oldValue,
        bytes32 newValue,
        uint48 effectiveAt,
        uint256 indexed setId,
        uint256 indexed version
    );
    event ParameterSetVetoed(uint256 indexed setId);
    event ParameterSetWithdrawn(uint256 indexed setId);
    event ParameterSetUndone(uint256 indexed setId, uint256 indexed bySetId);
    event ParameterTightened(bytes32 indexed key, bytes32 fromValue, bytes32 toValue, uint48 lapsesAt);

    error ParameterUnauthorized(address caller);
    error ParametersAlreadySealed();
    error ParametersNotSealed();
    error ParameterAlreadyDefined(bytes32 key);
    error ParameterSpecInvalid(bytes32 key);
    error ParameterSetEmpty();
    error ParameterLengthMismatch(uint256 keys, uint256 expected, uint256 values);
    error ParameterKeysNotAscending(bytes32 key);

    error ParameterUnknown(bytes32 key);
    error ParameterUnexpectedValue(bytes32 key, bytes32 expected, bytes32 actual);
    error ParameterOutOfBounds(bytes32 key, uint256 value, uint256 min, uint256 max);
    error ParameterOffStep(bytes32 key, uint256 value, uint256 step);
    error ParameterUnchanged(bytes32 key);
    error ParameterChangeTooLarge(bytes32 key, uint256 from, uint256 to, uint256 allowed);
    error ParameterChangedTooRecently(bytes32 key, uint256 allowedAt);
    error ParameterPending(bytes32 key, uint256 setId);
    error ParameterInvariantViolated(uint256 id);

    error ParameterFutureLookup(uint256 timestamp, uint256 current);
    error ParameterUndefinedAt(bytes32 key, uint256 timestamp);
    error ParameterSetUnknown(uint256 setId);
    error ParameterSetNotPending(uint256 setId);
    error ParameterSetNotUndoable(uint256 setId);
    error ParameterUndoWindowClosed(uint256 setId, uint256 closedAt);
    error ParameterNotTightenable(bytes32 key);
    error ParameterNotTighter(bytes32 key, uint256 current, uint256 value);
    error ParameterTightenedTooRecently(bytes32 key, uint256 allowedAt);

    /// @notice Defines first keys, in as many calls as needed. The deployer alone, before {seal}.
    function defineGenesis(Definition[] calldata definitions) external;

    /// @notice Checks every invariant and ends the deployer's power for good.
    function seal() external;

    /// @notice Defines a new key. The timelock alone.
    function defineParameter(Definition calldata definition) external;

    /// @notice Replaces the rules of a key; its value must already satisfy them. The timelock alone.
    function redefineParameter(bytes32 key, Spec calldata newSpec) external;

    /**
     * @notice Changes one or more keys as one atomic set. The timelock alone.
     * @param keys Strictly ascending.
     * @param expected The value each key must have now (compare-and-set), guardian tightenings left aside: {getVoted}.
     * @param values The new values.
     */
    // The parameter has the name that readers of decoded calldata expect; nothing here calls {keys}.
    // slither-disable-next-line shadowing-local
    function set(bytes32[] calldata keys, bytes32[] calldata expected, bytes32[] calldata values) external;

    /// @notice Drops a set that is not effective yet. The guardian alone.
    function veto(uint256 setId) external;

    /// @notice Drops a set that is not effective yet. The timelock alone.
    function withdraw(uint256 setId) external;

    /// @notice Restores the values before a set, free of rate limits, within 30 days of its effect. The timelock alone.
    function undo(uint256 setId) external;

    /// @notice Moves a key in its tighten direction at once until `meta.guardian_tighten_max` has passed. The guardian
    /// alone, at most once per key in 30 days.
    function tighten(bytes32 key, bytes32 value) external;

    /// @notice Reverts with the reason why {set} would refuse these values now; returns when it would accept them.
    // slither-disable-next-line shadowing-local
    function validate(bytes32[] calldata keys, bytes32[] calldata values) external view;

    /// @notice The value in force now.
    function get(bytes32 key) external view returns (bytes32);

    /// @notice The value in force at a past time (strictly before now). What it returns never changes.
    function getAt(bytes32 key, uint48 timestamp) external view returns (bytes32);

    /// @notice The value in force by vote now, a guardian tightening left aside; what {set} compares with.
    function getVoted(bytes32 key) external view returns (bytes32);

    /// @notice How many sets were accepted. The id of a set is its version.
    function version() external view returns (uint256);

    function keys() external view returns (bytes32[] memory);

    function isDefined(bytes32 key) external view returns (bool);

    function nameOf(bytes32 key) external view returns (string memory);

    function spec(bytes32 key) external view returns (Spec memory);

    /// @notice The smallest and largest value one change could give a numeric key now, before invariants and intervals.
    function allowedRange(bytes32 key) external view returns (uint256 lowest, uint256 highest);

    /// @notice When the key may next be changed, as far as its interval goes; zero when it never changed.
    function allowedAt(bytes32 key) external view returns (uint48);

    /// @notice The set that is pending over this key and when it takes effect, or zeros.
    function pending(bytes32 key) external view returns (uint256 setId, bytes32 value, uint48 effectiveAt);

    /// @notice The tightening in force over this key and when it lapses, or zeros.
    function tightening(bytes32 key) external view returns (bytes32 value, uint48 lapsesAt);

    function parameterSet(uint256 setId) external view returns (ParameterSet memory);

    function isSealed() external view returns (bool);

    function deployer() external view returns (address);

    function timelock() external view returns (address);

    function governor() external view returns (address);

    /// @notice When epoch zero began, in seconds since 1970. An epoch is one day.
    function genesisAt() external view returns (uint48);

    /// @notice The epoch a time falls in.
    function epochAt(uint48 timestamp) external view returns (uint256);
}
