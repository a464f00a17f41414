// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {IGovernorBravo} from "contracts/interfaces/governors/IGovernorBravo.sol";
import {ITimelockCompound} from "contracts/interfaces/governors/ITimelockCompound.sol";
import {IVotesToken} from "contracts/interfaces/governors/IVotesToken.sol";

/// @title Governor Bravo's published interface, written anew for the tests
/// @notice Behaves as the published one does where a reader can see it: numbered proposals with `signatures`, votes for
/// alone reach the quorum, `cancel` succeeds and emits again on a cancelled proposal, a queued proposal expires. Its
/// bounds on settings are left out, so that tests can be short.
contract GovernorBravo is IGovernorBravo {
    struct Proposal {
        address proposer;
        uint256 eta;
        address[] targets;
        uint256[] values;
        string[] signatures;
        bytes[] calldatas;
        uint256 startBlock;
        uint256 endBlock;
        uint256[3] votes;
        bool canceled;
        bool executed;
        mapping(address => Receipt) receipts;
    }

    string public constant name = "Local Governor Bravo";
    uint256 public constant quorumVotes = 400_000e18;
    uint256 public constant proposalMaxOperations = 10;

    address public admin;
    address public pendingAdmin;
    uint256 public votingDelay;
    uint256 public votingPeriod;
    uint256 public proposalThreshold;
    uint256 public initialProposalId;
    uint256 public proposalCount;
    address public timelock;
    address public comp;
    address public whitelistGuardian;
    mapping(address => uint256) public latestProposalIds;
    mapping(address => uint256) public whitelistAccountExpirations;
    mapping(uint256 => Proposal) internal _proposals;

    function initialize(address timelock_, address comp_, address guardian, uint256 lastId) external {
        require(timelock == address(0), "GovernorBravo::initialize: can only initialize once");
        admin = timelock_;
        timelock = timelock_;
        comp = comp_;
        votingDelay = 2;
        votingPeriod = 30;
        proposalThreshold = 10e18;
        initialProposalId = lastId;
        proposalCount = lastId;
        whitelistGuardian = guardian;
        emit WhitelistGuardianSet(address(0), guardian);
    }

    /// @dev Uniswap's name for `comp`; this one has Compound's.
    function uni() external pure returns (address) {
        revert();
    }

    function implementation() external view returns (address) {
        // ERC-1967: keccak256("eip1967.proxy.implementation") - 1
        address found;
        assembly {
            found := sload(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc)
        }
        return found;
    }

    function propose(
        address[] memory targets,
        uint256[] memory values,
        string[] memory signatures,
        bytes[] memory calldatas,
        string memory description
    ) external returns (uint256 id) {
        require(
            IVotesToken(comp).getPriorVotes(msg.sender, block.number - 1) > proposalThreshold
                || isWhitelisted(msg.sender),
            "GovernorBravo::propose: proposer votes below proposal threshold"
        );
        require(
            targets.length == values.length && targets.length == signatures.length
                && targets.length == calldatas.length,
            "GovernorBravo::propose: proposal function information arity mismatch"
        );
        require(targets.length != 0, "GovernorBravo::propose: must provide actions");
        require(targets.length <= proposalMaxOperations, "GovernorBravo::propose: too many actions");
        _requireNoLiveProposal(msg.sender);
        id = ++proposalCount;
        latestProposalIds[msg.sender] = id;
        Proposal storage proposal = _proposals[id];
        proposal.proposer = msg.sender;
        proposal.targets = targets;
        proposal.values = values;
        proposal.signatures = signatures;
        proposal.calldatas = calldatas;
        proposal.startBlock = block.number + votingDelay;
        proposal.endBlock = proposal.startBlock + votingPeriod;
        _created(id, description);
    }

    function queue(uint256 id) external {
        require(state(id) == 4, "GovernorBravo::queue: proposal can only be queued if it is succeeded");
        Proposal storage proposal = _proposals[id];
        uint256 eta = block.timestamp + ITimelockCompound(timelock).delay();
        for (uint256 i = 0; i < proposal.targets.length; i++) {
            bytes32 hash = keccak256(
                abi.encode(
                    proposal.targets[i], proposal.values[i], proposal.signatures[i], proposal.calldatas[i], eta
                )
            );
            require(
                !ITimelockCompound(timelock).queuedTransactions(hash),
                "GovernorBravo::queueOrRevertInternal: identical proposal action already queued at eta"
            );
            ITimelockCompound(timelock).queueTransaction(
                proposal.targets[i], proposal.values[i], proposal.signatures[i], proposal.calldatas[i], eta
            );
        }
        proposal.eta = eta;
        emit ProposalQueued(id, eta);
    }

    function execute(uint256 id) external payable {
        require(state(id) == 5, "GovernorBravo::execute: proposal can only be executed if it is queued");
        Proposal storage proposal = _proposals[id];
        proposal.executed = true;
        for (uint256 i = 0; i < proposal.targets.length; i++) {
            ITimelockCompound(timelock).executeTransaction{value: proposal.values[i]}(
                proposal.targets[i], proposal.values[i], proposal.signatures[i], proposal.calldatas[i], proposal.eta
            );
        }
        emit ProposalExecuted(id);
    }

    function cancel(uint256 id) external {
        require(state(id) != 7, "GovernorBravo::cancel: cannot cancel executed proposal");
        Proposal storage proposal = _proposals[id];
        if (msg.sender != proposal.proposer) {
            bool below =
                IVotesToken(comp).getPriorVotes(proposal.proposer, block.number - 1) < proposalThreshold;
            bool allowed = !isWhitelisted(proposal.proposer) || msg.sender == whitelistGuardian;
            require(below && allowed, "GovernorBravo::cancel: proposer above threshold");
        }
        proposal.canceled = true;
        for (uint256 i = 0; i < proposal.targets.length; i++) {
            ITimelockCompound(timelock).cancelTransaction(
                proposal.targets[i], proposal.values[i], proposal.signatures[i], proposal.calldatas[i], proposal.eta
            );
        }
        emit ProposalCanceled(id);
    }

    function castVote(uint256 id, uint8 support) external {
        emit VoteCast(msg.sender, id, support, _castVote(id, support), "");
    }

    function castVoteWithReason(uint256 id, uint8 support, string calldata reason) external {
        emit VoteCast(msg.sender, id, support, _castVote(id, support), reason);
    }

    function castVoteBySig(uint256, uint8, uint8, bytes32, bytes32) external pure {
        revert("GovernorBravo::castVoteBySig: not in the tests");
    }

    function proposals(uint256 id)
        external
        view
        returns (uint256, address, uint256, uint256, uint256, uint256, uint256, uint256, bool, bool)
    {
        Proposal storage p = _proposals[id];
        uint256 shown = p.proposer == address(0) ? 0 : id;
        return (
            shown, p.proposer, p.eta, p.startBlock, p.endBlock, p.votes[1], p.votes[0], p.votes[2], p.canceled, p.executed
        );
    }

    function getActions(uint256 id)
        external
        view
        returns (address[] memory, uint256[] memory, string[] memory, bytes[] memory)
    {
        Proposal storage p = _proposals[id];
        return (p.targets, p.values, p.signatures, p.calldatas);
    }

    function getReceipt(uint256 id, address voter) external view returns (Receipt memory) {
        return _proposals[id].receipts[voter];
    }

    function isWhitelisted(address account) public view returns (bool) {
        return whitelistAccountExpirations[account] > block.timestamp;
    }

    function state(uint256 id) public view returns (uint8) {
        require(proposalCount >= id && id > initialProposalId, "GovernorBravo::state: invalid proposal id");
        Proposal storage p = _proposals[id];
        if (p.canceled) return 2;
        if (block.number <= p.startBlock) return 0;
        if (block.number <= p.endBlock) return 1;
        if (p.votes[1] <= p.votes[0] || p.votes[1] < quorumVotes) return 3;
        if (p.eta == 0) return 4;
        if (p.executed) return 7;
        return block.timestamp >= p.eta + ITimelockCompound(timelock).GRACE_PERIOD() ? 6 : 5;
    }

    /// @dev The published one calls it `_setWhitelistAccountExpiration`; the admin or the guardian may.
    function _setWhitelistAccountExpiration(address account, uint256 expiration) external {
        require(msg.sender == admin || msg.sender == whitelistGuardian, "GovernorBravo: admin only");
        whitelistAccountExpirations[account] = expiration;
        emit WhitelistAccountExpirationSet(account, expiration);
    }

    function _castVote(uint256 id, uint8 support) private returns (uint256) {
        require(state(id) == 1, "GovernorBravo::castVoteInternal: voting is closed");
        require(support <= 2, "GovernorBravo::castVoteInternal: invalid vote type");
        Proposal storage proposal = _proposals[id];
        Receipt storage receipt = proposal.receipts[msg.sender];
        require(!receipt.hasVoted, "GovernorBravo::castVoteInternal: voter already voted");
        uint96 votes = IVotesToken(comp).getPriorVotes(msg.sender, proposal.startBlock);
        proposal.votes[support] += votes;
        proposal.receipts[msg.sender] = Receipt(true, support, votes);
        return votes;
    }

    function _created(uint256 id, string memory description) private {
        Proposal storage p = _proposals[id];
        emit ProposalCreated(
            id, p.proposer, p.targets, p.values, p.signatures, p.calldatas, p.startBlock, p.endBlock, description
        );
    }

    function _requireNoLiveProposal(address proposer) private view {
        uint256 latest = latestProposalIds[proposer];
        if (latest == 0) return;
        uint8 found = state(latest);
        require(found > 1, "GovernorBravo::propose: one live proposal per proposer");
    }
}

/// @title What Governor Bravo stands behind
contract BravoProxy is ERC1967Proxy {
    constructor(address implementation, bytes memory data) ERC1967Proxy(implementation, data) {}
}
