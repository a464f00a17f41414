// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorProposalGuardian} from "@openzeppelin/contracts/governance/extensions/GovernorProposalGuardian.sol";
import {GovernorStorage} from "@openzeppelin/contracts/governance/extensions/GovernorStorage.sol";
import {IGuardianSource} from "../interfaces/IGuardianSource.sol";
import {IAlthingGovernor} from "../interfaces/IAlthingGovernor.sol";

/**
 * @dev A guardian whose term ends by itself.
 *
 * OpenZeppelin lets the proposer cancel at any stage while no guardian is set, which would let a proposer call off a
 * decision the vote has made; here the proposer may cancel while the proposal is pending, and nobody else but a live
 * guardian ever may.
 */
abstract contract GovernorTermGuardian is IAlthingGovernor, GovernorStorage, GovernorProposalGuardian {
    uint256 private constant MAX_TERM = 365 days;

    uint64 private _guardianUntil;

    constructor(address guardian, uint64 until) {
        _setGuardian(guardian, until);
    }

    /// @inheritdoc IAlthingGovernor
    function setGuardian(address guardian, uint64 until) external onlyGovernance {
        _setGuardian(guardian, until);
    }

    /// @inheritdoc IAlthingGovernor
    function guardianUntil() external view returns (uint64) {
        return _guardianUntil;
    }

    /// @notice Reverts: a guardian without an end is not possible here, see {setGuardian}.
    function setProposalGuardian(address) public virtual override {
        revert AlthingGovernorGuardianNeedsTerm();
    }

    /// @inheritdoc IGuardianSource
    function isGuardian(address account) public view returns (bool) {
        return account != address(0) && account == proposalGuardian() && block.timestamp < _guardianUntil;
    }

    /// @dev Both parents have it; nothing is added.
    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal virtual override(Governor, GovernorStorage) returns (uint256) {
        return super._propose(targets, values, calldatas, description, proposer);
    }

    /// @dev A live guardian may not stop the vote that would replace it.
    function _validateCancel(
        uint256 proposalId,
        address caller
    ) internal view virtual override(Governor, GovernorProposalGuardian) returns (bool) {
        if (state(proposalId) == ProposalState.Pending && caller == proposalProposer(proposalId)) {
            return true;
        }
        return isGuardian(caller) && !_setsOnlyGuardian(proposalId);
    }

    function _setGuardian(address guardian, uint64 until) private {
        uint256 latest = guardian == address(0) ? 0 : block.timestamp + MAX_TERM;
        uint256 earliest = guardian == address(0) ? 0 : block.timestamp + 1;
        if (until < earliest || until > latest) {
            revert AlthingGovernorGuardianTermInvalid(until, earliest, latest);
        }
        _setProposalGuardian(guardian);
        _guardianUntil = until;
        emit GuardianSet(guardian, until);
    }

    function _setsOnlyGuardian(uint256 proposalId) private view returns (bool) {
        (address[] memory targets, , bytes[] memory calldatas, ) = proposalDetails(proposalId);
        for (uint256 i = 0; i < targets.length; ++i) {
            if (targets[i] != address(this) || bytes4(calldatas[i]) != this.setGuardian.selector) {
                return false;
            }
        }
        return true;
    }
}
