// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {NodeStakes} from "./NodeStakes.sol";

/**
 * @dev What open cases lock, what decisions made nodes owe, and how fast it may be paid.
 *
 * The cases that are open against a node share one reserve, as large as the largest of them needs; a decision moves its
 * part of the reserve to the debt. Reserve and debt together never exceed what the node holds, since nothing but a
 * payment of the debt takes from what they cover.
 */
abstract contract NodeDebts is NodeStakes {
    using Checkpoints for Checkpoints.Trace208;

    uint256 internal constant BPS = 10_000;
    // Any 30 days lie within 31 epochs of a day.
    uint256 private constant WINDOW_EPOCHS = 31;
    bytes32 private constant EPOCH_CAP = keccak256("slash.epoch_network_cap");
    bytes32 private constant WINDOW_CAP = keccak256("slash.network_cap_30d");

    /// @dev `until` is when the last of the cases runs out; whatever nobody dismissed by then locks nothing any more.
    struct Lock {
        uint128 reserve;
        uint48 until;
        uint32 cases;
    }

    mapping(bytes32 nodeId => Lock) private _locks;
    mapping(bytes32 nodeId => uint256 amount) private _debts;
    /// @dev By epoch, all that was ever collected up to its end.
    Checkpoints.Trace208 private _collected;

    /// @dev Counts a case in and locks what it may take, unless the others lock as much already.
    function _lock(bytes32 nodeId, uint256 amountWei, uint48 until) internal {
        Lock storage lock = _locks[nodeId];
        lock.reserve = SafeCast.toUint128(Math.max(_reserve(nodeId), amountWei));
        lock.until = until;
        ++lock.cases;
    }

    /// @dev Counts a case out; up to `amountWei` of what is locked becomes a debt.
    function _unlock(bytes32 nodeId, uint256 amountWei) internal returns (uint256 debt) {
        Lock storage lock = _locks[nodeId];
        debt = Math.min(amountWei, _reserve(nodeId));
        _debts[nodeId] += debt;
        --lock.cases;
        lock.reserve = lock.cases == 0 ? 0 : lock.reserve - uint128(debt);
    }

    /// @dev Books a payment of `amountWei`, which is owed and within the caps.
    function _pay(bytes32 nodeId, uint256 amountWei) internal {
        _debts[nodeId] -= amountWei;
        uint208 total = _collected.latest() + SafeCast.toUint208(amountWei);
        // slither-disable-next-line unused-return The values before and after are of no use here.
        _collected.push(uint48(_epoch()), total);
        _seize(nodeId, amountWei);
    }

    function _debt(bytes32 nodeId) internal view returns (uint256) {
        return _debts[nodeId];
    }

    /// @dev What the node cannot withdraw.
    function _locked(bytes32 nodeId) internal view returns (uint256) {
        return _debts[nodeId] + _reserve(nodeId);
    }

    /// @dev What the node holds and does not owe.
    function _free(bytes32 nodeId) internal view returns (uint256) {
        return _held(nodeId) - _debts[nodeId];
    }

    function _isAccused(bytes32 nodeId) internal view returns (bool) {
        Lock storage lock = _locks[nodeId];
        return lock.cases != 0 && block.timestamp < lock.until;
    }

    /// @dev What the caps leave now. Both are shares of what all nodes held when the epoch began, so that no node's
    /// coming or going in it moves them.
    function _collectable() internal view returns (uint256) {
        uint256 held = _heldAtEpochStart();
        uint256 epoch = _epoch();
        uint256 inEpoch = Math.saturatingSub(_share(held, _parameter(EPOCH_CAP)), _collectedSince(epoch));
        uint256 first = Math.saturatingSub(epoch + 1, WINDOW_EPOCHS);
        uint256 inWindow = Math.saturatingSub(_share(held, _parameter(WINDOW_CAP)), _collectedSince(first));
        return Math.min(inEpoch, inWindow);
    }

    function _share(uint256 amountWei, uint256 bps) internal pure returns (uint256) {
        return (amountWei * bps) / BPS;
    }

    function _reserve(bytes32 nodeId) private view returns (uint256) {
        return _isAccused(nodeId) ? _locks[nodeId].reserve : 0;
    }

    /// @dev What was collected from the beginning of an epoch on.
    function _collectedSince(uint256 epoch) private view returns (uint256) {
        uint256 before = epoch == 0 ? 0 : _collected.upperLookupRecent(uint48(epoch - 1));
        return _collected.latest() - before;
    }
}
