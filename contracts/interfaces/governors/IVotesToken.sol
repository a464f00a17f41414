// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The token of another governor, as the indexer reads it
/// @notice ERC-20 with ERC-5805 votes (OpenZeppelin 4.3 to 5.7), or COMP and its descendants, which say `getPriorVotes`.
/// COMP's event gives votes as uint256 as well: the encoding is one. Amounts in the token's smallest unit.
interface IVotesToken {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event DelegateChanged(address indexed delegator, address indexed fromDelegate, address indexed toDelegate);
    event DelegateVotesChanged(address indexed delegate, uint256 previousVotes, uint256 newVotes);

    error ERC5805FutureLookup(uint256 timepoint, uint48 clock);
    error ERC6372InconsistentClock();
    error VotesExpiredSignature(uint256 expiry);

    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);
    function totalSupply() external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function delegates(address account) external view returns (address);
    function getVotes(address account) external view returns (uint256);
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256);
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256);
    function getPastBalanceOf(address account, uint256 timepoint) external view returns (uint256);
    function getPastDelegate(address account, uint256 timepoint) external view returns (address);
    function clock() external view returns (uint48);
    // Its name is the standard's (ERC-6372).
    // slither-disable-next-line naming-convention
    function CLOCK_MODE() external view returns (string memory);
    function getCurrentVotes(address account) external view returns (uint96);
    function getPriorVotes(address account, uint256 blockNumber) external view returns (uint96);

    function transfer(address to, uint256 value) external returns (bool);
    function delegate(address delegatee) external;
}
