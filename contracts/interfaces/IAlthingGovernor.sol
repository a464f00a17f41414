// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGuardianSource} from "./IGuardianSource.sol";

/// @title What the Althing governor adds to OpenZeppelin's
interface IAlthingGovernor is IGuardianSource {
    /// @dev Settings at deployment; times in seconds, the threshold in wei, the quorum in hundredths.
    struct Settings {
        uint48 votingDelay;
        uint32 votingPeriod;
        uint48 lateQuorumExtension;
        uint256 proposalThreshold;
        uint256 quorumNumerator;
        uint48 constitutionalDelay;
        address guardian;
        uint64 guardianUntil;
    }

    /// @dev A call that protects itself and therefore needs no constitutional delay.
    struct RoutineCall {
        address target;
        bytes4 selector;
    }

    // Rare events of one contract: readers take them all, so topics to filter by would only cost gas.
    // slither-disable-start unindexed-event-address
    event GuardianSet(address guardian, uint64 until);
    event RoutineSet(address target, bytes4 selector, bool allowed);
    // slither-disable-end unindexed-event-address

    error AlthingGovernorGuardianTermInvalid(uint64 until, uint256 earliest, uint256 latest);
    error AlthingGovernorGuardianNeedsTerm();
    error AlthingGovernorNeverRoutine(address target);
    error AlthingGovernorConstitutionalDelay(uint256 proposalId, uint256 executableAt);

    /// @notice Sets the guardian and the end of its term, at most 365 days ahead; the zero address with zero ends it.
    function setGuardian(address guardian, uint64 until) external;

    /// @notice Adds a call to the routine list or removes it.
    function setRoutine(address target, bytes4 selector, bool allowed) external;

    /// @notice When the guardian's term ends, in seconds since 1970.
    function guardianUntil() external view returns (uint64);

    /// @notice Whether calls of this function of this contract are routine.
    function routine(address target, bytes4 selector) external view returns (bool);

    /// @notice Whether a proposal holds any call that is not routine, by the list as it is now.
    function isConstitutional(uint256 proposalId) external view returns (bool);

    /// @notice The first time at which a queued proposal can be executed; zero while it is not queued.
    function proposalExecutableAt(uint256 proposalId) external view returns (uint256);

    /// @notice The last time at which a queued proposal can be executed; zero while it is not queued.
    function proposalExpiresAt(uint256 proposalId) external view returns (uint256);

    /// @notice How long after its eta a constitutional proposal still waits, in seconds.
    function constitutionalDelay() external view returns (uint48);

    /// @notice The delegate whose past votes are no part of the quorum's base.
    function sentinel() external view returns (address);
}
