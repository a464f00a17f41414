// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernorShared} from "./IGovernorShared.sol";

/// @title Any OpenZeppelin governor, as the indexer reads it
/// @notice The events, views, acts and errors of Governor 4.3 to 5.7 with all its extensions, and of CompoundGovernor,
/// which is one. A governor has those of the extensions it was built from.
interface IGovernorOZ is IGovernorShared {
    event VoteCastWithParams(
        address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason, bytes params
    );
    // GovernorCountingOverridable: a holder takes its own tokens' votes back from its delegate.
    event OverrideVoteCast(address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason);
    event VoteReduced(address indexed delegate, uint256 proposalId, uint8 support, uint256 weight);
    // GovernorPreventLateQuorum.
    event ProposalExtended(uint256 indexed proposalId, uint64 extendedDeadline);
    event LateQuorumVoteExtensionSet(uint64 oldVoteExtension, uint64 newVoteExtension);
    // GovernorVotesQuorumFraction, GovernorVotesSuperQuorumFraction, CompoundGovernor's fixed quorum.
    event QuorumNumeratorUpdated(uint256 oldQuorumNumerator, uint256 newQuorumNumerator);
    event SuperQuorumNumeratorUpdated(uint256 oldSuperQuorumNumerator, uint256 newSuperQuorumNumerator);
    event QuorumUpdated(uint256 oldQuorum, uint256 newQuorum);
    // slither-disable-start unindexed-event-address
    // GovernorTimelockControl, GovernorTimelockCompound.
    event TimelockChange(address oldTimelock, address newTimelock);
    // GovernorProposalGuardian, and CompoundGovernor's whose term ends.
    event ProposalGuardianSet(address oldProposalGuardian, address newProposalGuardian);
    event ProposalGuardianSet(
        address oldProposalGuardian,
        uint96 oldProposalGuardianExpiry,
        address newProposalGuardian,
        uint96 newProposalGuardianExpiry
    );
    // slither-disable-end unindexed-event-address
    // ERC-1967, where the governor is a proxy.
    event Upgraded(address indexed implementation);

    error GovernorInvalidProposalLength(uint256 targets, uint256 calldatas, uint256 values);
    error GovernorAlreadyCastVote(address voter);
    error GovernorDisabledDeposit();
    error GovernorOnlyExecutor(address account);
    error GovernorNonexistentProposal(uint256 proposalId);
    error GovernorUnexpectedProposalState(uint256 proposalId, uint8 current, bytes32 expectedStates);
    error GovernorInvalidVotingPeriod(uint256 votingPeriod);
    error GovernorInsufficientProposerVotes(address proposer, uint256 votes, uint256 threshold);
    error GovernorRestrictedProposer(address proposer);
    error GovernorInvalidVoteType();
    error GovernorInvalidVoteParams();
    error GovernorQueueNotImplemented();
    error GovernorNotQueuedProposal(uint256 proposalId);
    error GovernorProposalQueueingNotRequired(uint256 proposalId);
    error GovernorProposalQueueingFailed(uint256 proposalId);
    error GovernorAlreadyQueuedProposal(uint256 proposalId);
    error GovernorInvalidSignature(address voter);
    error GovernorUnableToCancel(uint256 proposalId, address account);
    error GovernorExceedRemainingWeight(address voter, uint256 usedVotes, uint256 remainingWeight);
    error GovernorAlreadyOverriddenVote(address account);
    error GovernorAlreadyInitializedLatestProposalId();

    function version() external view returns (string memory);
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
    // Their names are the standards' (ERC-6372, IGovernor).
    // slither-disable-start naming-convention
    function CLOCK_MODE() external view returns (string memory);
    function COUNTING_MODE() external pure returns (string memory);
    // slither-disable-end naming-convention
    function clock() external view returns (uint48);
    function token() external view returns (address);

    function hashProposal(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) external view returns (uint256);
    function getProposalId(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) external view returns (uint256);
    function latestProposalId() external view returns (uint256);
    /// @notice CompoundGovernor: the number the next proposal gets.
    function getNextProposalId() external view returns (uint256);
    function proposalSnapshot(uint256 proposalId) external view returns (uint256);
    function proposalDeadline(uint256 proposalId) external view returns (uint256);
    function proposalProposer(uint256 proposalId) external view returns (address);
    function proposalEta(uint256 proposalId) external view returns (uint256);
    function proposalNeedsQueuing(uint256 proposalId) external view returns (bool);
    function proposalVotes(uint256 proposalId)
        external
        view
        returns (uint256 againstVotes, uint256 forVotes, uint256 abstainVotes);
    function proposalDetails(uint256 proposalId)
        external
        view
        returns (address[] memory targets, uint256[] memory values, bytes[] memory calldatas, bytes32 descriptionHash);
    function hasVoted(uint256 proposalId, address account) external view returns (bool);
    function hasVotedOverride(uint256 proposalId, address account) external view returns (bool);
    function usedVotes(uint256 proposalId, address account) external view returns (uint256);
    function getVotes(address account, uint256 timepoint) external view returns (uint256);

    function quorum(uint256 timepoint) external view returns (uint256);
    function quorumNumerator() external view returns (uint256);
    function quorumDenominator() external view returns (uint256);
    function superQuorum(uint256 timepoint) external view returns (uint256);
    function lateQuorumVoteExtension() external view returns (uint48);
    /// @notice CompoundGovernor returns the end of its term (uint96, seconds) in a second word.
    function proposalGuardian() external view returns (address);
    function accessManager() external view returns (address);

    function propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description
    ) external returns (uint256);
    function queue(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) external returns (uint256);
    function execute(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) external payable returns (uint256);
    function cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) external returns (uint256);
    function castVote(uint256 proposalId, uint8 support) external returns (uint256);
    function castVoteWithReason(uint256 proposalId, uint8 support, string calldata reason) external returns (uint256);
    function castVoteWithReasonAndParams(
        uint256 proposalId,
        uint8 support,
        string calldata reason,
        bytes memory params
    ) external returns (uint256);
    function castOverrideVote(uint256 proposalId, uint8 support, string calldata reason) external returns (uint256);
}
