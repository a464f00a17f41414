// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * @title Operators, their GPU nodes and the stake behind them
 * @notice `class` and `region` are short ASCII strings padded with zeros on the right ("h100_80g", "eu-north"); a class
 * exists when the parameter `stake.per_gpu_<class>` does. `keysHash` is `keccak256(abi.encode(operator, ed25519Key,
 * mlDsaKeyHash))`; possession of the keys is proven to the attestation service, not here.
 */
interface INodeRegistry {
    enum NodeStatus {
        None,
        Registered,
        Suspended,
        Exiting,
        Exited
    }

    /**
     * @dev One node. `stake` is what is bonded now, in wei, without what is unbonding. `minimumStake` and
     * `unbondingPeriod` are those of the moment of registration: a stake keeps the terms it was made under.
     */
    struct Node {
        address operator;
        uint48 registeredAt;
        uint32 gpuCount;
        uint32 unbondingPeriod;
        uint48 suspendedUntil;
        uint48 exitRequestedAt;
        bool exited;
        bytes32 gpuClass;
        bytes32 region;
        bytes32 keysHash;
        uint256 stake;
        uint256 minimumStake;
    }

    /// @dev Stake on its way back to the operator.
    struct Unbond {
        uint208 amount;
        uint48 withdrawableAt;
    }

    event NodeRegistered(
        bytes32 indexed nodeId,
        address indexed operator,
        bytes32 keysHash,
        bytes32 class,
        uint32 gpuCount,
        bytes32 region,
        string metadataURI,
        uint256 stake
    );
    event NodeCapacityUpdated(bytes32 indexed nodeId, uint32 gpuCount);
    event NodeKeysRotated(bytes32 indexed nodeId, bytes32 oldKeysHash, bytes32 newKeysHash);
    event StakeAdded(bytes32 indexed nodeId, uint256 amount, uint256 stake);
    event UnstakeRequested(bytes32 indexed nodeId, uint256 amount, uint256 stake, uint48 withdrawableAt);
    event NodeSuspended(bytes32 indexed nodeId, bytes32 reason, bytes32 evidenceHash, uint48 until);
    event NodeResumed(bytes32 indexed nodeId);
    event ExitRequested(bytes32 indexed nodeId, uint48 withdrawableAt);
    event StakeWithdrawn(bytes32 indexed nodeId, address to, uint256 amount);

    error NodeUnknown(bytes32 nodeId);
    error NodeUnauthorized(bytes32 nodeId, address caller);
    error NodeGuardianOnly(address caller);
    error NodeClassUnknown(bytes32 class);
    error NodeGpuCountInvalid(uint256 gpuCount, uint256 max);
    error NodeCapacityUnchanged(bytes32 nodeId, uint32 gpuCount);
    error NodeKeysInvalid(bytes32 keysHash);
    error NodeKeysAlreadyUsed(bytes32 keysHash);
    error NodeStakeInsufficient(bytes32 nodeId, uint256 stake, uint256 required);
    error NodeAmountZero(bytes32 nodeId);
    error NodeRecipientInvalid(address to);
    error NodeExiting(bytes32 nodeId);
    error NodeTooManyUnbonds(bytes32 nodeId, uint256 max);
    error NodeNothingToWithdraw(bytes32 nodeId, uint256 withdrawableAt);
    error NodeAlreadySuspended(bytes32 nodeId, uint48 until);
    error NodeNotSuspended(bytes32 nodeId);
    error NodeSuspensionShareExceeded(bytes32 nodeId, uint256 stake, uint256 available);
    error NodeSuspensionTimeExceeded(bytes32 nodeId, uint256 used, uint256 max);

    /// @notice Registers a node of the caller and takes its stake, {requiredStake}, from the caller's allowance.
    /// @dev The hash commits to its operator, so a copy registered by somebody else is worth nothing; used hashes are
    /// kept per operator, so that such a copy does not stand in the way of the original either.
    function register(
        bytes32 keysHash,
        bytes32 class,
        uint32 gpuCount,
        bytes32 region,
        string calldata metadataURI
    ) external returns (bytes32 nodeId);

    /// @notice Changes how many GPUs a node has; its stake must cover them. The operator alone.
    function updateCapacity(bytes32 nodeId, uint32 gpuCount) external;

    /// @notice Replaces the node's keys; a hash an operator used is never used again by it. The operator alone.
    function rotateKeys(bytes32 nodeId, bytes32 newKeysHash) external;

    /// @notice Adds stake from the caller's allowance. The operator alone.
    function addStake(bytes32 nodeId, uint256 amountWei) external;

    /// @notice Starts unbonding stake that the node's capacity does not need. The operator alone.
    function requestUnstake(bytes32 nodeId, uint256 amountWei) external;

    /// @notice Ends the node and starts unbonding all its stake; a suspension does not stop it. The operator alone.
    function requestExit(bytes32 nodeId) external;

    /// @notice Pays out what has finished unbonding and is neither owed nor locked by a case. The operator alone.
    function withdraw(bytes32 nodeId, address to) external returns (uint256 amountWei);

    /// @notice Suspends a node for up to 72 hours. The attestor role alone, within its limits; while a case is open against
    /// the node, that of 7 days in 30 does not hold.
    function suspend(bytes32 nodeId, bytes32 reason, bytes32 evidenceHash) external;

    /// @notice Ends a suspension early. The attestor role alone.
    function resume(bytes32 nodeId) external;

    /// @notice Takes the attestor role away. The guardian alone; it cannot grant it.
    function revokeAttestor(address account) external;

    function node(bytes32 nodeId) external view returns (Node memory);

    /// @notice The status now. A suspension that ran out reads as registered; no event marks it.
    function status(bytes32 nodeId) external view returns (NodeStatus);

    function unbonds(bytes32 nodeId) external view returns (Unbond[] memory);

    /// @notice What `gpuCount` GPUs of a class need as stake now, in wei.
    function requiredStake(bytes32 class, uint32 gpuCount) external view returns (uint256);

    /// @notice Whether the node's stake covers its capacity at today's parameters.
    function isCovered(bytes32 nodeId) external view returns (bool);

    function nodeIdOf(address operator, bytes32 keysHash) external view returns (bytes32);

    /// @notice Whether an operator ever used these keys; another operator's use does not count, see {register}.
    function keysHashUsed(address operator, bytes32 keysHash) external view returns (bool);

    function nodeCount() external view returns (uint256);

    function nodeIdAt(uint256 index) external view returns (bytes32);

    /// @notice All bonded stake, in wei.
    function totalStake() external view returns (uint256);

    /// @notice All stake on its way back to operators, in wei.
    function totalUnbonding() external view returns (uint256);

    /// @notice How much stake may still be suspended in this epoch, in wei.
    function suspendableStake() external view returns (uint256);

    function token() external view returns (address);

    function parameters() external view returns (address);

    function governor() external view returns (address);
}
