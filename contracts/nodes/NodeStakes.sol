// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {INetworkParameters} from "../interfaces/INetworkParameters.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";

/**
 * @dev The books: what every node holds, bonded or unbonding, and what all of them held when the epoch began. Moves no
 * tokens itself.
 */
abstract contract NodeStakes is INodeRegistry {
    struct EpochStart {
        uint48 epoch;
        uint208 held;
    }

    IERC20 internal immutable _token;
    INetworkParameters internal immutable _parameters;

    mapping(bytes32 nodeId => Node) internal _nodes;
    mapping(bytes32 nodeId => Unbond[]) internal _unbonds;
    mapping(bytes32 nodeId => uint256 amount) private _unbonding;
    uint256 internal _totalStake;
    uint256 internal _totalUnbonding;
    EpochStart private _epochStart;

    constructor(IERC20 token_, INetworkParameters parameters_) {
        _token = token_;
        _parameters = parameters_;
    }

    /// @dev Books stake that the operator pays in.
    function _bond(bytes32 nodeId, uint256 amountWei) internal returns (uint256 stake) {
        _keepEpochStart();
        stake = _nodes[nodeId].stake + amountWei;
        _nodes[nodeId].stake = stake;
        _totalStake += amountWei;
    }

    /// @dev Moves bonded stake to the node's unbonding queue.
    function _unbond(bytes32 nodeId, uint256 amountWei) internal returns (uint48 withdrawableAt) {
        Node storage node_ = _nodes[nodeId];
        withdrawableAt = Time.timestamp() + node_.unbondingPeriod;
        node_.stake -= amountWei;
        _totalStake -= amountWei;
        _unbonding[nodeId] += amountWei;
        _totalUnbonding += amountWei;
        _unbonds[nodeId].push(Unbond(SafeCast.toUint208(amountWei), withdrawableAt));
    }

    /// @dev Removes finished entries worth `limit` at most; they are in order, since a node's unbonding period never
    /// changes. `nextAt` is when the first entry that is left is finished, zero where none is left.
    function _takeMatured(bytes32 nodeId, uint256 limit) internal returns (uint256 amountWei, uint256 nextAt) {
        Unbond[] storage all = _unbonds[nodeId];
        uint256 taken;
        while (taken < all.length && all[taken].withdrawableAt <= block.timestamp) {
            uint256 available = limit - amountWei;
            if (all[taken].amount > available) {
                all[taken].amount -= uint208(available);
                amountWei = limit;
                break;
            }
            amountWei += all[taken].amount;
            ++taken;
        }
        uint256 left = all.length - taken;
        for (uint256 i = 0; i < left; ++i) {
            all[i] = all[i + taken];
        }
        while (all.length > left) {
            all.pop();
        }
        nextAt = left == 0 ? 0 : all[0].withdrawableAt;
        _bookOut(nodeId, amountWei);
    }

    /// @dev Takes from what is unbonding, the newest first, then from what is bonded: so a node that goes on keeps the
    /// stake that its capacity needs for as long as it can.
    function _seize(bytes32 nodeId, uint256 amountWei) internal {
        Unbond[] storage all = _unbonds[nodeId];
        uint256 fromUnbonding = Math.min(amountWei, _unbonding[nodeId]);
        uint256 left = fromUnbonding;
        while (left > 0) {
            Unbond storage last = all[all.length - 1];
            if (last.amount > left) {
                last.amount -= uint208(left);
                break;
            }
            left -= last.amount;
            all.pop();
        }
        _bookOut(nodeId, fromUnbonding);
        _nodes[nodeId].stake -= amountWei - fromUnbonding;
        _totalStake -= amountWei - fromUnbonding;
    }

    /// @dev All that the node has at stake.
    function _held(bytes32 nodeId) internal view returns (uint256) {
        return _nodes[nodeId].stake + _unbonding[nodeId];
    }

    /// @dev What all nodes held when this epoch began: nobody who comes or goes meanwhile moves it.
    function _heldAtEpochStart() internal view returns (uint256) {
        return _epochStart.epoch == _epoch() ? _epochStart.held : _totalStake + _totalUnbonding;
    }

    function _known(bytes32 nodeId) internal view returns (Node storage node_) {
        node_ = _nodes[nodeId];
        if (node_.operator == address(0)) {
            revert NodeUnknown(nodeId);
        }
    }

    function _epoch() internal view returns (uint256) {
        return _parameters.epochAt(Time.timestamp());
    }

    function _parameter(bytes32 key) internal view returns (uint256) {
        return uint256(_parameters.get(key));
    }

    /// @dev Books what leaves the unbonding queue. A node that asked to leave and has nothing there any more is gone.
    function _bookOut(bytes32 nodeId, uint256 amountWei) private {
        _keepEpochStart();
        _unbonding[nodeId] -= amountWei;
        _totalUnbonding -= amountWei;
        if (_nodes[nodeId].exitRequestedAt != 0 && _unbonds[nodeId].length == 0) {
            _nodes[nodeId].exited = true;
        }
    }

    /// @dev Before the first change of an epoch, what is held is what was held when the epoch began.
    function _keepEpochStart() private {
        uint256 epoch = _epoch();
        if (_epochStart.epoch != epoch) {
            _epochStart = EpochStart(uint48(epoch), SafeCast.toUint208(_totalStake + _totalUnbonding));
        }
    }
}
