// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {INodeRegistry} from "../interfaces/INodeRegistry.sol";

/**
 * @dev How much one attestor can do before somebody else has to look: 72 hours at a time, 7 days in any 30 per node
 * without a case, and 10 % of all stake in an epoch. A faulty verifier release then stops a part of the network, not
 * the whole.
 */
abstract contract NodeSuspensions is INodeRegistry {
    uint48 private constant MAX_SUSPENSION = 72 hours;
    uint48 private constant MAX_WITHOUT_CASE = 7 days;
    uint48 private constant WINDOW = 30 days;
    uint256 private constant MAX_SHARE_BPS = 1_000;
    uint256 private constant WHOLE_BPS = 10_000;

    struct Suspension {
        uint48 from;
        uint48 until;
    }

    mapping(bytes32 nodeId => Suspension[]) private _suspensions;
    mapping(uint256 epoch => uint256 stake) private _suspendedInEpoch;

    /// @dev Records a suspension from now on and returns its end. The 7 days bind the attestor's word alone: where somebody
    /// has put a bond behind the accusation and a vote can decide it, `accused`, they do not.
    function _startSuspension(
        bytes32 nodeId,
        uint256 stake,
        uint256 total,
        uint256 epoch,
        bool accused
    ) internal returns (uint48 until) {
        uint256 available = _suspendable(total, epoch);
        if (stake > available) {
            revert NodeSuspensionShareExceeded(nodeId, stake, available);
        }
        uint48 length = MAX_SUSPENSION;
        if (!accused) {
            uint48 used = _suspendedTime(nodeId);
            if (used >= MAX_WITHOUT_CASE) {
                revert NodeSuspensionTimeExceeded(nodeId, used, MAX_WITHOUT_CASE);
            }
            length = uint48(Math.min(MAX_SUSPENSION, MAX_WITHOUT_CASE - used));
        }
        until = Time.timestamp() + length;
        _suspendedInEpoch[epoch] += stake;
        _suspensions[nodeId].push(Suspension(Time.timestamp(), until));
    }

    /// @dev Ends the running suspension now; only the time really suspended counts.
    function _endSuspension(bytes32 nodeId) internal {
        Suspension[] storage all = _suspensions[nodeId];
        all[all.length - 1].until = Time.timestamp();
    }

    function _suspendable(uint256 total, uint256 epoch) internal view returns (uint256) {
        return Math.saturatingSub((total * MAX_SHARE_BPS) / WHOLE_BPS, _suspendedInEpoch[epoch]);
    }

    /// @dev For how long the node was suspended in the last 30 days.
    function _suspendedTime(bytes32 nodeId) private view returns (uint48 used) {
        Suspension[] storage all = _suspensions[nodeId];
        uint256 since = Math.saturatingSub(block.timestamp, WINDOW);
        for (uint256 i = all.length; i > 0; --i) {
            Suspension memory entry = all[i - 1];
            if (entry.until <= since) {
                break;
            }
            used += uint48(entry.until - Math.max(entry.from, since));
        }
    }
}
