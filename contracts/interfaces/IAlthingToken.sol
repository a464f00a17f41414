// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the Althing token adds to ERC-20, ERC-2612 and ERC-5805
interface IAlthingToken {
    error AlthingTokenUnauthorizedMinter(address caller);
    error AlthingTokenYearlyMintExceeded(uint256 requested, uint256 available);
    error AlthingTokenGenesisLengthMismatch(uint256 holders, uint256 amounts);

    /// @notice Mints to the treasury, within the cap and the yearly maximum. The treasury (the timelock) alone.
    function mint(uint256 amountWei) external;

    /// @notice The timelock: the only minter and the only one minted to.
    function treasury() external view returns (address);

    /// @notice The most that may be minted in one year, in wei. Years of 365 days are counted from deployment.
    function yearlyMintMax() external view returns (uint256);

    /// @notice What may still be minted in the current year, in wei, before the cap.
    function mintable() external view returns (uint256);

    /// @notice The address without a key that holds the voting power of tokens that cannot vote.
    function sentinel() external view returns (address);
}
