// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAttestationLedger} from "../../../contracts/interfaces/IAttestationLedger.sol";
import {ILedger} from "./AlthingTest.sol";
import {Vm} from "./Vm.sol";

/// @dev An attestor with good and bad days, a guardian whose term ends, the timelock, a stranger, and the clock.
contract LedgerHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant DAY = 1 days;

    ILedger private immutable _ledger;
    address private immutable _attestor;
    address private immutable _guardian;
    address private immutable _timelock;
    uint256 private immutable _startedAt;
    uint256 private immutable _guardianUntil;

    // Figures kept apart from the contract's.
    uint256 public posted;
    uint256 public voids;
    uint256 public reposts;
    mapping(uint256 epoch => bytes32) public rootOf;
    mapping(uint256 epoch => uint256) public postedAt;
    mapping(uint256 epoch => bool) public voided;
    string public broken;

    constructor(ILedger ledger, address attestor, address guardian, address timelock, uint256 startedAt) {
        (_ledger, _attestor, _guardian, _timelock) = (ledger, attestor, guardian, timelock);
        _startedAt = startedAt;
        _guardianUntil = startedAt + 30 days;
    }

    /// @dev The next epoch, or any other near it, at any time.
    function post(uint256 epoch, bytes32 root, uint32 count, uint64 total) external {
        if (epoch % 4 != 0) epoch = posted;
        else epoch = epoch % (posted + 3);
        (root, count) = _whole(root, count);
        // As often within the bound as beyond it.
        total = uint64(total % (2 * DAY * count + 1));
        bool due = epoch == posted && block.timestamp >= _startedAt + (epoch + 1) * DAY;
        vm.prank(_attestor);
        try _ledger.post(epoch, root, count, total, keccak256(abi.encode(epoch))) {
            if (!due) broken = "an epoch was posted before its turn";
            _remember(epoch, root);
            ++posted;
        } catch {
            if (due && total <= count * DAY) broken = "a due epoch was refused";
        }
    }

    function repost(uint256 epoch, bytes32 root, uint32 count) external {
        epoch = epoch % (posted + 1);
        (root, count) = _whole(root, count);
        vm.prank(_attestor);
        try _ledger.repost(epoch, root, count, 0, 0) {
            if (!voided[epoch]) broken = "a root that was not voided was overwritten";
            _remember(epoch, root);
            voided[epoch] = false;
            ++reposts;
        } catch {
            if (voided[epoch]) broken = "a voided epoch could not be posted again";
        }
    }

    function voidEpoch(uint256 epoch, uint256 who) external {
        // Mostly the last epochs: the others' windows are closed.
        epoch = who % 3 == 0 ? epoch % (posted + 1) : posted - (posted < 2 ? posted : 1 + (epoch % 2));
        address caller = _caller(who);
        bool may = caller == _timelock || (caller == _guardian && block.timestamp < _guardianUntil);
        bool open = epoch < posted && !voided[epoch] && block.timestamp < postedAt[epoch] + DAY;
        vm.prank(caller);
        try _ledger.voidEpoch(epoch, "why") {
            if (!may) broken = "somebody voided who must not";
            if (!open) broken = "an epoch was voided outside its 24 hours";
            voided[epoch] = true;
            ++voids;
        } catch {
            if (may && open) broken = "a wrong root could not be voided";
        }
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + 1 + (seconds_ % (seconds_ % 5 == 0 ? 4 * DAY : DAY / 2)));
    }

    function _remember(uint256 epoch, bytes32 root) private {
        rootOf[epoch] = root;
        postedAt[epoch] = block.timestamp;
    }

    function _caller(uint256 who) private view returns (address) {
        if (who % 8 == 0) return _attestor;
        if (who % 8 == 1) return address(0xbad);
        return who % 8 == 2 ? _timelock : _guardian;
    }

    /// @dev A root that fits its count; now and then an epoch without verdicts.
    function _whole(bytes32 root, uint32 count) private pure returns (bytes32, uint32) {
        return root == 0 || count % 8 == 0 ? (bytes32(0), uint32(0)) : (root, count);
    }
}
