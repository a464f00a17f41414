// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {VotesExtended} from "@openzeppelin/contracts/governance/utils/VotesExtended.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title Votes by block, and what holders had then
contract TokenV5 is ERC20Votes, VotesExtended {
    constructor(uint256 supply) ERC20("Local", "LOC") EIP712("Local", "1") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20Votes) {
        super._update(from, to, value);
    }

    function _delegate(address account, address delegatee) internal override(Votes, VotesExtended) {
        super._delegate(account, delegatee);
    }

    function _transferVotingUnits(address from, address to, uint256 amount) internal override(Votes, VotesExtended) {
        super._transferVotingUnits(from, to, amount);
    }
}

/// @title Votes by second
contract TokenV5Seconds is TokenV5 {
    constructor(uint256 supply) TokenV5(supply) {}

    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }
}

/// @title Votes by something of its own: rounds of ten blocks
contract TokenV5Rounds is TokenV5 {
    constructor(uint256 supply) TokenV5(supply) {}

    function clock() public view override returns (uint48) {
        return uint48(block.number / 10);
    }

    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=local_round";
    }
}
