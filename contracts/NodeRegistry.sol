// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {Sentinel} from "./governance/Sentinel.sol";
import {IGuardianSource} from "./interfaces/IGuardianSource.sol";
import {INetworkParameters} from "./interfaces/INetworkParameters.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {NodeCases} from "./nodes/NodeCases.sol";
import {NodeStakes} from "./nodes/NodeStakes.sol";
import {NodeSuspensions} from "./nodes/NodeSuspensions.sol";

/**
 * @title The registry of GPU nodes
 * @dev Staked tokens cannot vote: the registry delegates its whole balance to the sentinel. The token is Althing's own,
 * which calls nobody on a transfer; state still changes before every transfer out.
 */
contract NodeRegistry is NodeSuspensions, NodeCases, AccessControl {
    using SafeERC20 for IERC20;

    bytes32 public constant ATTESTOR_ROLE = keccak256("ATTESTOR_ROLE");
    bytes32 private constant MIN_PROVIDER = keccak256("stake.min_provider");
    bytes32 private constant UNBONDING_PERIOD = keccak256("stake.unbonding_period");
    bytes32 private constant MAX_PENDING_UNBONDS = keccak256("stake.max_pending_unbonds");
    bytes32 private constant MAX_GPUS_PER_NODE = keccak256("attest.max_gpus_per_node");

    IGuardianSource private immutable _governor;

    bytes32[] private _nodeIds;
    mapping(address operator => mapping(bytes32 keysHash => bool)) private _keysHashUsed;

    modifier onlyOperator(bytes32 nodeId) {
        if (_known(nodeId).operator != msg.sender) {
            revert NodeUnauthorized(nodeId, msg.sender);
        }
        _;
    }

    modifier notExiting(bytes32 nodeId) {
        if (_nodes[nodeId].exitRequestedAt != 0) {
            revert NodeExiting(nodeId);
        }
        _;
    }

    /**
     * @param timelock Administers the attestor role, decides cases and receives what they take.
     * @param attestor The attestation service's account, which may suspend nodes.
     */
    constructor(
        ERC20Votes token_,
        INetworkParameters parameters_,
        IGuardianSource governor_,
        address timelock,
        address attestor
    ) NodeStakes(IERC20(address(token_)), parameters_) NodeCases(timelock) {
        _governor = governor_;
        _grantRole(DEFAULT_ADMIN_ROLE, timelock);
        _grantRole(ATTESTOR_ROLE, attestor);
        token_.delegate(Sentinel.ACCOUNT);
    }

    /// @inheritdoc INodeRegistry
    function register(
        bytes32 keysHash,
        bytes32 class,
        uint32 gpuCount,
        bytes32 region,
        string calldata metadataURI
    ) external returns (bytes32 nodeId) {
        _useKeys(keysHash);
        _requireGpuCount(gpuCount);
        uint256 stake = requiredStake(class, gpuCount);
        nodeId = nodeIdOf(msg.sender, keysHash);
        _nodes[nodeId] = Node({
            operator: msg.sender,
            registeredAt: Time.timestamp(),
            gpuCount: gpuCount,
            unbondingPeriod: uint32(_parameter(UNBONDING_PERIOD)),
            suspendedUntil: 0,
            exitRequestedAt: 0,
            exited: false,
            gpuClass: class,
            region: region,
            keysHash: keysHash,
            stake: 0,
            minimumStake: _parameter(MIN_PROVIDER)
        });
        _nodeIds.push(nodeId);
        _bond(nodeId, stake);
        emit NodeRegistered(nodeId, msg.sender, keysHash, class, gpuCount, region, metadataURI, stake);
        _token.safeTransferFrom(msg.sender, address(this), stake);
    }

    /// @inheritdoc INodeRegistry
    function updateCapacity(bytes32 nodeId, uint32 gpuCount) external onlyOperator(nodeId) notExiting(nodeId) {
        Node storage node_ = _nodes[nodeId];
        if (gpuCount == node_.gpuCount) {
            revert NodeCapacityUnchanged(nodeId, gpuCount);
        }
        _requireGpuCount(gpuCount);
        // Fewer GPUs are always allowed, even where the price per GPU rose above what the stake covers.
        if (gpuCount > node_.gpuCount) {
            _requireCovered(nodeId, node_.stake, _stakeNeeded(node_, gpuCount));
        }
        node_.gpuCount = gpuCount;
        emit NodeCapacityUpdated(nodeId, gpuCount);
    }

    /// @inheritdoc INodeRegistry
    function rotateKeys(bytes32 nodeId, bytes32 newKeysHash) external onlyOperator(nodeId) notExiting(nodeId) {
        _useKeys(newKeysHash);
        bytes32 oldKeysHash = _nodes[nodeId].keysHash;
        _nodes[nodeId].keysHash = newKeysHash;
        emit NodeKeysRotated(nodeId, oldKeysHash, newKeysHash);
    }

    /// @inheritdoc INodeRegistry
    function addStake(bytes32 nodeId, uint256 amountWei) external onlyOperator(nodeId) notExiting(nodeId) {
        _requireAmount(nodeId, amountWei);
        uint256 stake = _bond(nodeId, amountWei);
        emit StakeAdded(nodeId, amountWei, stake);
        _token.safeTransferFrom(msg.sender, address(this), amountWei);
    }

    /// @inheritdoc INodeRegistry
    function requestUnstake(bytes32 nodeId, uint256 amountWei) external onlyOperator(nodeId) notExiting(nodeId) {
        _requireAmount(nodeId, amountWei);
        Node storage node_ = _nodes[nodeId];
        uint256 max = _parameter(MAX_PENDING_UNBONDS);
        if (_unbonds[nodeId].length >= max) {
            revert NodeTooManyUnbonds(nodeId, max);
        }
        uint256 left = Math.saturatingSub(node_.stake, amountWei);
        _requireCovered(nodeId, left, _stakeNeeded(node_, node_.gpuCount));
        uint48 withdrawableAt = _unbond(nodeId, amountWei);
        emit UnstakeRequested(nodeId, amountWei, left, withdrawableAt);
    }

    /// @inheritdoc INodeRegistry
    function requestExit(bytes32 nodeId) external onlyOperator(nodeId) notExiting(nodeId) {
        _nodes[nodeId].exitRequestedAt = Time.timestamp();
        uint48 withdrawableAt = _unbond(nodeId, _nodes[nodeId].stake);
        emit ExitRequested(nodeId, withdrawableAt);
    }

    /// @inheritdoc INodeRegistry
    function withdraw(bytes32 nodeId, address to) external onlyOperator(nodeId) returns (uint256 amountWei) {
        // The registry's own balance must only hold what it owes.
        if (to == address(this) || to == address(0)) {
            revert NodeRecipientInvalid(to);
        }
        bool exited = _nodes[nodeId].exited;
        uint256 locked = _locked(nodeId);
        uint256 nextAt;
        (amountWei, nextAt) = _takeMatured(nodeId, _held(nodeId) - locked);
        // A node that lost everything still has to be able to leave.
        if (amountWei == 0 && _nodes[nodeId].exited == exited) {
            if (nextAt != 0 && nextAt <= block.timestamp) {
                revert NodeStakeLocked(nodeId, locked);
            }
            revert NodeNothingToWithdraw(nodeId, nextAt);
        }
        emit StakeWithdrawn(nodeId, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    /// @inheritdoc INodeRegistry
    function suspend(bytes32 nodeId, bytes32 reason, bytes32 evidenceHash) external onlyRole(ATTESTOR_ROLE) {
        Node storage node_ = _known(nodeId);
        if (node_.exitRequestedAt != 0) {
            revert NodeExiting(nodeId);
        }
        if (block.timestamp < node_.suspendedUntil) {
            revert NodeAlreadySuspended(nodeId, node_.suspendedUntil);
        }
        uint48 until = _startSuspension(nodeId, node_.stake, _totalStake, _epoch(), _isAccused(nodeId));
        node_.suspendedUntil = until;
        emit NodeSuspended(nodeId, reason, evidenceHash, until);
    }

    /// @inheritdoc INodeRegistry
    function resume(bytes32 nodeId) external onlyRole(ATTESTOR_ROLE) {
        Node storage node_ = _known(nodeId);
        if (block.timestamp >= node_.suspendedUntil) {
            revert NodeNotSuspended(nodeId);
        }
        node_.suspendedUntil = Time.timestamp();
        _endSuspension(nodeId);
        emit NodeResumed(nodeId);
    }

    /// @inheritdoc INodeRegistry
    function revokeAttestor(address account) external {
        if (!_governor.isGuardian(msg.sender)) {
            revert NodeGuardianOnly(msg.sender);
        }
        _revokeRole(ATTESTOR_ROLE, account);
    }

    /// @inheritdoc INodeRegistry
    function node(bytes32 nodeId) external view returns (Node memory) {
        return _known(nodeId);
    }

    /// @inheritdoc INodeRegistry
    function status(bytes32 nodeId) external view returns (NodeStatus) {
        Node storage node_ = _nodes[nodeId];
        if (node_.operator == address(0)) return NodeStatus.None;
        if (node_.exited) return NodeStatus.Exited;
        if (node_.exitRequestedAt != 0) return NodeStatus.Exiting;
        return block.timestamp < node_.suspendedUntil ? NodeStatus.Suspended : NodeStatus.Registered;
    }

    /// @inheritdoc INodeRegistry
    function unbonds(bytes32 nodeId) external view returns (Unbond[] memory) {
        return _unbonds[nodeId];
    }

    /// @inheritdoc INodeRegistry
    function isCovered(bytes32 nodeId) external view returns (bool) {
        Node storage node_ = _known(nodeId);
        return node_.stake >= _stakeNeeded(node_, node_.gpuCount);
    }

    /// @inheritdoc INodeRegistry
    function keysHashUsed(address operator, bytes32 keysHash) external view returns (bool) {
        return _keysHashUsed[operator][keysHash];
    }

    /// @inheritdoc INodeRegistry
    function nodeCount() external view returns (uint256) {
        return _nodeIds.length;
    }

    /// @inheritdoc INodeRegistry
    function nodeIdAt(uint256 index) external view returns (bytes32) {
        return _nodeIds[index];
    }

    /// @inheritdoc INodeRegistry
    function totalStake() external view returns (uint256) {
        return _totalStake;
    }

    /// @inheritdoc INodeRegistry
    function totalUnbonding() external view returns (uint256) {
        return _totalUnbonding;
    }

    /// @inheritdoc INodeRegistry
    function suspendableStake() external view returns (uint256) {
        return _suspendable(_totalStake, _epoch());
    }

    /// @inheritdoc INodeRegistry
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc INodeRegistry
    function parameters() external view returns (address) {
        return address(_parameters);
    }

    /// @inheritdoc INodeRegistry
    function governor() external view returns (address) {
        return address(_governor);
    }

    /// @inheritdoc INodeRegistry
    function requiredStake(bytes32 class, uint32 gpuCount) public view returns (uint256) {
        return Math.max(gpuCount * _stakePerGpu(class), _parameter(MIN_PROVIDER));
    }

    /// @inheritdoc INodeRegistry
    function nodeIdOf(address operator, bytes32 keysHash) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), operator, keysHash));
    }

    function _useKeys(bytes32 keysHash) private {
        if (keysHash == bytes32(0)) {
            revert NodeKeysInvalid(keysHash);
        }
        if (_keysHashUsed[msg.sender][keysHash]) {
            revert NodeKeysAlreadyUsed(keysHash);
        }
        _keysHashUsed[msg.sender][keysHash] = true;
    }

    function _stakePerGpu(bytes32 class) private view returns (uint256) {
        bytes32 key = keccak256(abi.encodePacked("stake.per_gpu_", _trimmed(class)));
        if (!_parameters.isDefined(key)) {
            revert NodeClassUnknown(class);
        }
        return _parameter(key);
    }

    /// @dev What a registered node needs: today's price per GPU, but the minimum of the day it registered.
    function _stakeNeeded(Node storage node_, uint32 gpuCount) private view returns (uint256) {
        return Math.max(gpuCount * _stakePerGpu(node_.gpuClass), node_.minimumStake);
    }

    function _requireGpuCount(uint32 gpuCount) private view {
        uint256 max = _parameter(MAX_GPUS_PER_NODE);
        if (gpuCount == 0 || gpuCount > max) {
            revert NodeGpuCountInvalid(gpuCount, max);
        }
    }

    function _requireCovered(bytes32 nodeId, uint256 stake, uint256 required) private pure {
        if (stake < required) {
            revert NodeStakeInsufficient(nodeId, stake, required);
        }
    }

    function _requireAmount(bytes32 nodeId, uint256 amountWei) private pure {
        if (amountWei == 0) {
            revert NodeAmountZero(nodeId);
        }
    }

    /// @dev The characters of a short string before its padding.
    function _trimmed(bytes32 text) private pure returns (bytes memory result) {
        uint256 length;
        while (length < 32 && text[length] != 0) {
            ++length;
        }
        result = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            result[i] = text[i];
        }
    }
}
