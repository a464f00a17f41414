// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20, ERC20Permit, ERC20Votes} from "openzeppelin-v4/token/ERC20/extensions/ERC20Votes.sol";
import {ERC20VotesComp} from "openzeppelin-v4/token/ERC20/extensions/ERC20VotesComp.sol";
import {Governor, IERC165, IGovernor} from "openzeppelin-v4/governance/Governor.sol";
import {GovernorCompatibilityBravo} from "openzeppelin-v4/governance/compatibility/GovernorCompatibilityBravo.sol";
import {GovernorCountingSimple} from "openzeppelin-v4/governance/extensions/GovernorCountingSimple.sol";
import {GovernorPreventLateQuorum} from "openzeppelin-v4/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSettings} from "openzeppelin-v4/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockCompound, ICompoundTimelock} from
    "openzeppelin-v4/governance/extensions/GovernorTimelockCompound.sol";
import {GovernorTimelockControl} from "openzeppelin-v4/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes, IVotes} from "openzeppelin-v4/governance/extensions/GovernorVotes.sol";
import {GovernorVotesComp} from "openzeppelin-v4/governance/extensions/GovernorVotesComp.sol";
import {GovernorVotesQuorumFraction} from "openzeppelin-v4/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IGovernorTimelock} from "openzeppelin-v4/governance/extensions/IGovernorTimelock.sol";
import {TimelockController} from "openzeppelin-v4/governance/TimelockController.sol";

contract TokenV4 is ERC20Votes {
    constructor(uint256 supply) ERC20("Local four", "LO4") ERC20Permit("Local four") {
        _mint(msg.sender, supply);
    }
}

/// @title OpenZeppelin's TimelockController of 4.9
contract TimelockV4 is TimelockController {
    constructor(uint256 delay, address[] memory proposers, address[] memory executors)
        TimelockController(delay, proposers, executors, address(0))
    {}
}

/// @title The usual one of OpenZeppelin 4: simple votes by block, TimelockController, late quorum
contract OZ4Timelock is
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotesQuorumFraction,
    GovernorPreventLateQuorum,
    GovernorTimelockControl
{
    constructor(IVotes token_, TimelockController timelock_)
        Governor("Local OZ4 timelock")
        GovernorSettings(2, 30, 10e18)
        GovernorVotes(token_)
        GovernorVotesQuorumFraction(4)
        GovernorPreventLateQuorum(20)
        GovernorTimelockControl(timelock_)
    {}

    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function proposalDeadline(uint256 id)
        public
        view
        override(IGovernor, Governor, GovernorPreventLateQuorum)
        returns (uint256)
    {
        return super.proposalDeadline(id);
    }

    function state(uint256 id) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(id);
    }

    function supportsInterface(bytes4 id) public view override(Governor, GovernorTimelockControl) returns (bool) {
        return super.supportsInterface(id);
    }

    function _castVote(uint256 id, address account, uint8 support, string memory reason, bytes memory params)
        internal
        override(Governor, GovernorPreventLateQuorum)
        returns (uint256)
    {
        return super._castVote(id, account, support, reason, params);
    }

    function _execute(uint256 id, address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockControl)
    {
        super._execute(id, t, v, c, d);
    }

    function _cancel(address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockControl)
        returns (uint256)
    {
        return super._cancel(t, v, c, d);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}

/// @title OpenZeppelin 4 in Governor Bravo's clothes: signatures, receipts, Compound's Timelock, COMP's votes
contract OZ4BravoCompatible is GovernorSettings, GovernorCompatibilityBravo, GovernorVotesComp, GovernorTimelockCompound {
    constructor(ERC20VotesComp token_, ICompoundTimelock timelock_)
        Governor("Local OZ4 Bravo")
        GovernorSettings(2, 30, 10e18)
        GovernorVotesComp(token_)
        GovernorTimelockCompound(timelock_)
    {}

    function quorum(uint256) public pure override returns (uint256) {
        return 400_000e18;
    }

    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function propose(address[] memory t, uint256[] memory v, bytes[] memory c, string memory d)
        public
        override(IGovernor, Governor, GovernorCompatibilityBravo)
        returns (uint256)
    {
        return super.propose(t, v, c, d);
    }

    function cancel(address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        public
        override(IGovernor, Governor, GovernorCompatibilityBravo)
        returns (uint256)
    {
        return super.cancel(t, v, c, d);
    }

    function state(uint256 id)
        public
        view
        override(IGovernor, Governor, GovernorTimelockCompound)
        returns (ProposalState)
    {
        return super.state(id);
    }

    function supportsInterface(bytes4 id)
        public
        view
        override(Governor, IERC165, GovernorTimelockCompound)
        returns (bool)
    {
        return super.supportsInterface(id);
    }

    function _execute(uint256 id, address[] memory t, uint256[] memory v, bytes[] memory c, bytes32 d)
        internal
        override(Governor, GovernorTimelockCompound)
    {
        super._execute(id, t, v, c, d);
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
