// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernorShared} from "./IGovernorShared.sol";

/// @title Governor Bravo, as the indexer reads it
/// @notice Source: compound-protocol GovernorBravoDelegate and GovernorBravoDelegator.
interface IGovernorBravo is IGovernorShared {
    // slither-disable-start unindexed-event-address
    event NewImplementation(address oldImplementation, address newImplementation);
    event NewPendingAdmin(address oldPendingAdmin, address newPendingAdmin);
    event NewAdmin(address oldAdmin, address newAdmin);
    // slither-disable-end unindexed-event-address

    function admin() external view returns (address);
    function pendingAdmin() external view returns (address);
    function implementation() external view returns (address);
    function initialProposalId() external view returns (uint256);
    function comp() external view returns (address);
    /// @notice What Uniswap's calls the same.
    function uni() external view returns (address);
    function latestProposalIds(address proposer) external view returns (uint256);
    function proposalMaxOperations() external view returns (uint256);
    function isWhitelisted(address account) external view returns (bool);

    function castVote(uint256 proposalId, uint8 support) external;
    function castVoteWithReason(uint256 proposalId, uint8 support, string calldata reason) external;
    function castVoteBySig(uint256 proposalId, uint8 support, uint8 v, bytes32 r, bytes32 s) external;
}
