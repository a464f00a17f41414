// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorCountingFractional} from
    "@openzeppelin/contracts/governance/extensions/GovernorCountingFractional.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSequentialProposalId} from
    "@openzeppelin/contracts/governance/extensions/GovernorSequentialProposalId.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorStorage} from "@openzeppelin/contracts/governance/extensions/GovernorStorage.sol";
import {GovernorTimelockCompound} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockCompound.sol";
import {ICompoundTimelock} from "@openzeppelin/contracts/vendor/compound/ICompoundTimelock.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

interface IComp {
    function getPriorVotes(address account, uint256 blockNumber) external view returns (uint96);
}

/// @title CompoundGovernor's published interface on OpenZeppelin's extensions
/// @notice What Compound's governor of 2025 shows to a reader: COMP's votes, a settable quorum with history, numbers that
/// go on from Governor Bravo's, a guardian whose term ends, a whitelist and its guardian.
contract CompoundGovernor is
    GovernorSettings,
    GovernorCountingFractional,
    GovernorPreventLateQuorum,
    GovernorTimelockCompound,
    GovernorStorage,
    GovernorSequentialProposalId
{
    using Checkpoints for Checkpoints.Trace208;

    struct ProposalGuardian {
        address account;
        uint96 expiration;
    }

    event QuorumUpdated(uint256 oldQuorum, uint256 newQuorum);
    event WhitelistAccountExpirationSet(address account, uint256 expiration);
    event WhitelistGuardianSet(address oldGuardian, address newGuardian);
    event ProposalGuardianSet(
        address oldProposalGuardian,
        uint96 oldProposalGuardianExpiry,
        address newProposalGuardian,
        uint96 newProposalGuardianExpiry
    );

    IComp public immutable token;
    address public whitelistGuardian;
    ProposalGuardian public proposalGuardian;
    mapping(address => uint256) public whitelistAccountExpirations;
    Checkpoints.Trace208 private _quorums;

    constructor(IComp token_, ICompoundTimelock timelock_, address guardian, uint96 until, address whitelister)
        Governor("Compound Governor")
        GovernorSettings(2, 30, 10e18)
        GovernorPreventLateQuorum(20)
        GovernorTimelockCompound(timelock_)
    {
        token = token_;
        _initializeLatestProposalId(300);
        _setQuorum(400_000e18);
        emit WhitelistGuardianSet(address(0), whitelister);
        whitelistGuardian = whitelister;
        emit ProposalGuardianSet(address(0), 0, guardian, until);
        proposalGuardian = ProposalGuardian(guardian, until);
    }

    function setQuorum(uint256 votes) external onlyGovernance {
        _setQuorum(votes);
    }

    function setWhitelistAccountExpiration(address account, uint256 expiration) external {
        require(msg.sender == whitelistGuardian || msg.sender == _executor());
        whitelistAccountExpirations[account] = expiration;
        emit WhitelistAccountExpirationSet(account, expiration);
    }

    function isWhitelisted(address account) public view returns (bool) {
        return whitelistAccountExpirations[account] > block.timestamp;
    }

    function proposalCount() public view override returns (uint256) {
        return latestProposalId();
    }

    function getNextProposalId() external view returns (uint256) {
        return latestProposalId() + 1;
    }

    function quorum(uint256 voteStart) public view override returns (uint256) {
        return _quorums.upperLookupRecent(uint48(voteStart));
    }

    function clock() public view override returns (uint48) {
        return uint48(block.number);
    }

    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=blocknumber&from=default";
    }

    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function proposalDeadline(uint256 id) public view override(Governor, GovernorPreventLateQuorum) returns (uint256) {
        return super.proposalDeadline(id);
    }

    function state(uint256 id) public view override(Governor, GovernorTimelockCompound) returns (ProposalState) {
        return super.state(id);
    }

    function proposalNeedsQueuing(uint256 id) public view override(Governor, GovernorTimelockCompound) returns (bool) {
        return super.proposalNeedsQueuing(id);
    }

    function getProposalId(address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        public
        view
        override(Governor, GovernorSequentialProposalId)
        returns (uint256)
    {
        return super.getProposalId(t, v, c, d);
    }

    function _setQuorum(uint256 votes) internal {
        emit QuorumUpdated(_quorums.latest(), votes);
        _quorums.push(clock(), uint208(votes));
    }

    function _getVotes(address account, uint256 timepoint, bytes memory) internal view override returns (uint256) {
        return token.getPriorVotes(account, timepoint);
    }

    function _validateCancel(uint256 id, address caller) internal view override returns (bool) {
        address proposer = proposalProposer(id);
        if (caller == proposer) return true;
        if (caller == proposalGuardian.account && block.timestamp <= proposalGuardian.expiration) return true;
        if (token.getPriorVotes(proposer, block.number - 1) >= proposalThreshold()) return false;
        return !isWhitelisted(proposer) || caller == whitelistGuardian;
    }

    function _tallyUpdated(uint256 id) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(id);
    }

    function _propose(address[] memory t, uint256[] memory v, bytes[] memory c, string memory d, address proposer)
        internal
        override(Governor, GovernorStorage, GovernorSequentialProposalId)
        returns (uint256)
    {
        return super._propose(t, v, c, d, proposer);
    }

    function _queueOperations(uint256 id, address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockCompound)
        returns (uint48)
    {
        return super._queueOperations(id, t, v, c, d);
    }

    function _executeOperations(uint256 id, address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockCompound)
    {
        super._executeOperations(id, t, v, c, d);
    }

    function _cancel(address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockCompound)
        returns (uint256)
    {
        return super._cancel(t, v, c, d);
    }

    function _executor() internal view override(Governor, GovernorTimelockCompound) returns (address) {
        return super._executor();
    }
}
