// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What every governor of the Bravo line says alike
/// @notice Read by the indexer for governors that are not ours; nothing here is deployed. Governor Bravo and OpenZeppelin
/// give the arguments of these events different names; here both have OpenZeppelin's, the encoding is one.
/// Source: compound-protocol GovernorBravoInterfaces, OpenZeppelin Contracts 4.9 and 5.7.
interface IGovernorShared {
    // What others emit cannot be indexed anew.
    // slither-disable-start unindexed-event-address
    event ProposalCreated(
        uint256 proposalId,
        address proposer,
        address[] targets,
        uint256[] values,
        string[] signatures,
        bytes[] calldatas,
        uint256 voteStart,
        uint256 voteEnd,
        string description
    );
    event ProposalQueued(uint256 proposalId, uint256 etaSeconds);
    event ProposalExecuted(uint256 proposalId);
    event ProposalCanceled(uint256 proposalId);
    event VoteCast(address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason);

    event VotingDelaySet(uint256 oldVotingDelay, uint256 newVotingDelay);
    event VotingPeriodSet(uint256 oldVotingPeriod, uint256 newVotingPeriod);
    event ProposalThresholdSet(uint256 oldProposalThreshold, uint256 newProposalThreshold);

    // Governor Bravo, and CompoundGovernor after it.
    event WhitelistAccountExpirationSet(address account, uint256 expiration);
    event WhitelistGuardianSet(address oldGuardian, address newGuardian);
    // slither-disable-end unindexed-event-address

    struct Receipt {
        bool hasVoted;
        uint8 support;
        uint96 votes;
    }

    function name() external view returns (string memory);
    function state(uint256 proposalId) external view returns (uint8);
    function votingDelay() external view returns (uint256);
    function votingPeriod() external view returns (uint256);
    function proposalThreshold() external view returns (uint256);
    function timelock() external view returns (address);

    /// @notice Votes in favour that a proposal needs, in the token's smallest unit. Governor Bravo, and OpenZeppelin's
    /// compatibility layer.
    function quorumVotes() external view returns (uint256);
    function proposals(uint256 proposalId)
        external
        view
        returns (
            uint256 id,
            address proposer,
            uint256 eta,
            uint256 startBlock,
            uint256 endBlock,
            uint256 forVotes,
            uint256 againstVotes,
            uint256 abstainVotes,
            bool canceled,
            bool executed
        );
    function getActions(uint256 proposalId)
        external
        view
        returns (
            address[] memory targets,
            uint256[] memory values,
            string[] memory signatures,
            bytes[] memory calldatas
        );
    function getReceipt(uint256 proposalId, address voter) external view returns (Receipt memory);
    function whitelistGuardian() external view returns (address);
    function whitelistAccountExpirations(address account) external view returns (uint256);
    function proposalCount() external view returns (uint256);

    function propose(
        address[] memory targets,
        uint256[] memory values,
        string[] memory signatures,
        bytes[] memory calldatas,
        string memory description
    ) external returns (uint256);
    function queue(uint256 proposalId) external;
    function execute(uint256 proposalId) external payable;
    function cancel(uint256 proposalId) external;
}
