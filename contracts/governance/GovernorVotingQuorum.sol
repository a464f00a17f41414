// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GovernorVotesQuorumFraction} from
    "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IAlthingGovernor} from "../interfaces/IAlthingGovernor.sol";
import {Sentinel} from "./Sentinel.sol";

/// @dev A quorum that is a fraction of what can vote: staked and treasury tokens, delegated to the sentinel, cannot.
abstract contract GovernorVotingQuorum is IAlthingGovernor, GovernorVotesQuorumFraction {
    /// @inheritdoc IAlthingGovernor
    function sentinel() external pure returns (address) {
        return Sentinel.ACCOUNT;
    }

    /// @notice The for and abstain votes needed at a past time, in wei.
    function quorum(uint256 timepoint) public view virtual override returns (uint256) {
        uint256 canVote = token().getPastTotalSupply(timepoint) - token().getPastVotes(Sentinel.ACCOUNT, timepoint);
        return Math.mulDiv(canVote, quorumNumerator(timepoint), quorumDenominator());
    }
}
