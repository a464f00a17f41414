// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Compound's Timelock, as the indexer reads it
/// @notice Source: compound-protocol Timelock. Delays in seconds, times in seconds since 1970, values in wei.
interface ITimelockCompound {
    event NewAdmin(address indexed newAdmin);
    event NewPendingAdmin(address indexed newPendingAdmin);
    event NewDelay(uint256 indexed newDelay);
    event QueueTransaction(
        bytes32 indexed txHash, address indexed target, uint256 value, string signature, bytes data, uint256 eta
    );
    event CancelTransaction(
        bytes32 indexed txHash, address indexed target, uint256 value, string signature, bytes data, uint256 eta
    );
    event ExecuteTransaction(
        bytes32 indexed txHash, address indexed target, uint256 value, string signature, bytes data, uint256 eta
    );

    function admin() external view returns (address);
    function pendingAdmin() external view returns (address);
    function delay() external view returns (uint256);
    // Its name is that of the contract we read.
    // slither-disable-next-line naming-convention
    function GRACE_PERIOD() external view returns (uint256);
    function queuedTransactions(bytes32 txHash) external view returns (bool);

    function setPendingAdmin(address newPendingAdmin) external;
    function queueTransaction(
        address target,
        uint256 value,
        string calldata signature,
        bytes calldata data,
        uint256 eta
    ) external returns (bytes32);
    function cancelTransaction(
        address target,
        uint256 value,
        string calldata signature,
        bytes calldata data,
        uint256 eta
    ) external;
    function executeTransaction(
        address target,
        uint256 value,
        string calldata signature,
        bytes calldata data,
        uint256 eta
    ) external payable returns (bytes memory);
}
