// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GovernorStorage} from "@openzeppelin/contracts/governance/extensions/GovernorStorage.sol";
import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {IAlthingGovernor} from "../interfaces/IAlthingGovernor.sol";

/**
 * @dev Routine and constitutional proposals, and their expiry.
 *
 * A call is routine when its (target, selector) pair is on the list; such functions protect themselves by bounds, rate
 * limits and vetoes of their own. A proposal with any other call is constitutional and waits longer before execution,
 * so that holders can leave or the guardian can cancel. A queued proposal that nobody executes expires, so that a
 * forgotten decision cannot run years later. Must come after GovernorTimelockControl in the linearization, which queues
 * and executes.
 */
abstract contract GovernorConstitution is IAlthingGovernor, GovernorStorage {
    uint256 private constant EXECUTION_WINDOW = 14 days;

    uint48 private immutable _constitutionalDelay;
    mapping(address target => mapping(bytes4 selector => bool)) private _routine;

    constructor(uint48 constitutionalDelay_, RoutineCall[] memory routineCalls) {
        _constitutionalDelay = constitutionalDelay_;
        for (uint256 i = 0; i < routineCalls.length; ++i) {
            _setRoutine(routineCalls[i].target, routineCalls[i].selector, true);
        }
    }

    /// @inheritdoc IAlthingGovernor
    function setRoutine(address target, bytes4 selector, bool allowed) external onlyGovernance {
        _setRoutine(target, selector, allowed);
    }

    /// @inheritdoc IAlthingGovernor
    function routine(address target, bytes4 selector) external view returns (bool) {
        return _routine[target][selector];
    }

    /// @inheritdoc IAlthingGovernor
    function constitutionalDelay() external view returns (uint48) {
        return _constitutionalDelay;
    }

    /// @inheritdoc IAlthingGovernor
    function proposalExecutableAt(uint256 proposalId) public view returns (uint256) {
        uint256 eta = proposalEta(proposalId);
        return eta != 0 && isConstitutional(proposalId) ? eta + _constitutionalDelay : eta;
    }

    /// @inheritdoc IAlthingGovernor
    function proposalExpiresAt(uint256 proposalId) public view returns (uint256) {
        uint256 eta = proposalEta(proposalId);
        return eta == 0 ? 0 : eta + _constitutionalDelay + EXECUTION_WINDOW;
    }

    /// @inheritdoc IAlthingGovernor
    function isConstitutional(uint256 proposalId) public view returns (bool) {
        (address[] memory targets, , bytes[] memory calldatas, ) = proposalDetails(proposalId);
        for (uint256 i = 0; i < targets.length; ++i) {
            // Calldata without a whole selector (a plain payment) calls no function that could protect itself.
            if (calldatas[i].length < 4 || !_routine[targets[i]][bytes4(calldatas[i])]) {
                return true;
            }
        }
        return false;
    }

    /// @inheritdoc Governor
    function state(
        uint256 proposalId
    ) public view virtual override returns (ProposalState) {
        ProposalState current = super.state(proposalId);
        if (current == ProposalState.Queued && block.timestamp > proposalExpiresAt(proposalId)) {
            return ProposalState.Expired;
        }
        return current;
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal virtual override {
        // The eta itself is the timelock's to enforce.
        if (isConstitutional(proposalId)) {
            uint256 executableAt = proposalEta(proposalId) + _constitutionalDelay;
            if (block.timestamp < executableAt) {
                revert AlthingGovernorConstitutionalDelay(proposalId, executableAt);
            }
        }
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _setRoutine(address target, bytes4 selector, bool allowed) private {
        // What guards the guards is never routine: neither governor nor timelock protect themselves.
        if (target == address(this) || target == _executor()) {
            revert AlthingGovernorNeverRoutine(target);
        }
        _routine[target][selector] = allowed;
        emit RoutineSet(target, selector, allowed);
    }
}
