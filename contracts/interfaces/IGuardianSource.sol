// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who the guardian is, as the governor says
interface IGuardianSource {
    /// @notice Whether `account` is the guardian and its term has not ended.
    function isGuardian(address account) external view returns (bool);
}
