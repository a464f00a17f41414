// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeCases} from "../../../contracts/interfaces/INodeCases.sol";
import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {IRegistry, IToken} from "./AlthingTest.sol";
import {Vm} from "./Vm.sol";

/// @dev Operators who come and go, reporters honest and not, votes, everybody who must not decide, and the clock.
contract CasesHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ALT = 1e18;
    uint256 private constant PEOPLE = 4;
    uint48 private constant LIFETIME = 60 days;

    struct Payment {
        uint256 time;
        uint256 amount;
    }

    IRegistry private immutable _registry;
    IToken private immutable _token;
    address private immutable _timelock;
    address private immutable _attestor;
    address private immutable _guardian;
    uint256 private immutable _startedAt;
    bytes32[] private _nodeIds;
    Payment[] private _payments;
    mapping(address opener => mapping(bytes32 hash => bool)) private _used;

    // Figures kept apart from the contract's.
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public decisions;
    uint256 public collections;
    uint256 public lateExits;
    string public broken;
    uint256 private _epoch;
    uint256 private _heldAtStart;

    /// @dev Nothing changes between the acts, so what is held before an epoch's first act was held when it began.
    modifier bookkept() {
        uint256 epoch = (block.timestamp - _startedAt) / 1 days;
        if (epoch != _epoch) (_epoch, _heldAtStart) = (epoch, held());
        _;
    }

    constructor(IRegistry registry, IToken token, address attestor, address guardian, uint256 startedAt) {
        (_registry, _token, _attestor, _guardian) = (registry, token, attestor, guardian);
        _timelock = registry.treasury();
        _startedAt = startedAt;
    }

    function person(uint256 seed) public pure returns (address) {
        return address(uint160(0x8000 + (seed % PEOPLE)));
    }

    function held() public view returns (uint256) {
        return _registry.totalStake() + _registry.totalUnbonding();
    }

    function heldBy(bytes32 nodeId) public view returns (uint256 sum) {
        sum = _registry.node(nodeId).stake;
        INodeRegistry.Unbond[] memory unbonds = _registry.unbonds(nodeId);
        for (uint256 i = 0; i < unbonds.length; ++i) {
            sum += unbonds[i].amount;
        }
    }

    function nodeIds() external view returns (bytes32[] memory) {
        return _nodeIds;
    }

    function register(uint256 seed, uint32 gpus) external bookkept {
        gpus = 1 + (gpus % 16);
        uint256 stake = _registry.requiredStake("h100_80g", gpus);
        address sender = person(seed);
        if (_token.balanceOf(sender) < stake) return;
        bytes32 keysHash = keccak256(abi.encode(seed, _nodeIds.length));
        vm.prank(sender);
        _nodeIds.push(_registry.register(keysHash, "h100_80g", gpus, "eu", ""));
        deposited += stake;
    }

    function addStake(uint256 seed, uint256 amount) external bookkept {
        bytes32 nodeId = _nodeId(seed);
        amount = 1 + (amount % (2_000 * ALT));
        vm.prank(_registry.node(nodeId).operator);
        try _registry.addStake(nodeId, amount) {
            deposited += amount;
        } catch {}
    }

    function requestUnstake(uint256 seed, uint256 amount) external bookkept {
        bytes32 nodeId = _nodeId(seed);
        vm.prank(_registry.node(nodeId).operator);
        try _registry.requestUnstake(nodeId, 1 + (amount % (2_000 * ALT))) {} catch {}
    }

    function requestExit(uint256 seed) external bookkept {
        bytes32 nodeId = _nodeId(seed);
        INodeRegistry.Node memory node = _registry.node(nodeId);
        if (node.exitRequestedAt != 0 || seed % 4 != 0) return;
        vm.prank(node.operator);
        _registry.requestExit(nodeId);
    }

    /// @dev An exit pays all but the debt 60 days after the unbonding, and until then all but what is locked.
    function withdraw(uint256 seed) external bookkept {
        bytes32 nodeId = _nodeId(seed);
        INodeRegistry.Node memory node = _registry.node(nodeId);
        uint256 freeAt = node.exitRequestedAt + node.unbondingPeriod;
        bool free = node.exitRequestedAt != 0 && !node.exited && block.timestamp >= freeAt;
        bool late = free && block.timestamp >= freeAt + LIFETIME;
        uint256 due = heldBy(nodeId) - (late ? _registry.debtOf(nodeId) : _registry.lockedStake(nodeId));
        vm.prank(node.operator);
        try _registry.withdraw(nodeId, node.operator) returns (uint256 amount) {
            withdrawn += amount;
            if (free && amount != due) broken = "an exit paid another sum than was free";
            if (late) ++lateExits;
        } catch {
            if (free && due != 0) broken = "a due withdrawal was refused";
        }
    }

    function openCase(uint256 seed, uint8 kind, uint8 evidence) external bookkept {
        bytes32 nodeId = _nodeId(seed);
        address opener = person(seed / 7);
        bytes32 hash = keccak256(abi.encode(evidence));
        uint256 locked = _registry.lockedStake(nodeId);
        INodeRegistry.Node memory node = _registry.node(nodeId);
        bool gone =
            node.exitRequestedAt != 0 && block.timestamp >= node.exitRequestedAt + uint256(node.unbondingPeriod);
        vm.prank(opener);
        try _registry.openCase(nodeId, INodeCases.CaseKind(kind % 3), hash) returns (uint256 caseId) {
            if (_used[opener][hash]) broken = "evidence was used twice";
            if (gone) broken = "a case was opened against a node that is gone";
            _used[opener][hash] = true;
            if (_registry.lockedStake(nodeId) < locked) broken = "a case freed what another locks";
            if (_registry.nodeCase(caseId).maxBps > 5_000) broken = "a case may take more than any may";
        } catch {
            if (!gone && !_used[opener][hash] && _token.balanceOf(opener) >= 100 * ALT) broken = "a case was refused";
        }
    }

    function contestCase(uint256 seed) external bookkept {
        uint256 caseId = _caseId(seed);
        if (caseId == 0) return;
        INodeCases.Case memory case_ = _registry.nodeCase(caseId);
        vm.prank(_registry.node(case_.nodeId).operator);
        try _registry.contestCase(caseId, "answer") {
            if (block.timestamp >= case_.contestableUntil) broken = "an answer came too late";
        } catch {}
    }

    function decideCase(uint256 seed, bool upheld, uint256 bps) external bookkept {
        uint256 caseId = _caseId(seed);
        if (caseId == 0) return;
        INodeCases.Case memory case_ = _registry.nodeCase(caseId);
        uint256 locked = _registry.lockedStake(case_.nodeId);
        bps = upheld ? bps % (case_.maxBps + 2) : 0;
        vm.prank(_timelock);
        try _registry.decideCase(caseId, upheld, bps) {
            ++decisions;
            bool heard = case_.answerHash != 0 || block.timestamp >= case_.contestableUntil;
            if (!heard || block.timestamp >= case_.openedAt + LIFETIME) broken = "a case was decided out of its time";
            if (bps > case_.maxBps) broken = "a decision took more than its kind may";
            if (_registry.lockedStake(case_.nodeId) > locked) broken = "a decision took what was not locked";
        } catch {}
    }

    /// @dev Neither attestor nor guardian, in its term or after it, nor anybody else decides.
    function usurp(uint256 seed, uint256 who) external bookkept {
        uint256 caseId = _caseId(seed);
        if (caseId == 0) return;
        address[3] memory others = [_attestor, _guardian, person(who)];
        vm.prank(others[who % 3]);
        try _registry.decideCase(caseId, true, 0) {
            broken = "somebody decided without a vote";
        } catch {}
    }

    function dismissCase(uint256 seed) external bookkept {
        uint256 caseId = _caseId(seed);
        if (caseId == 0) return;
        bool over = block.timestamp >= _registry.caseExpiresAt(caseId);
        INodeCases.CaseStatus status = _registry.nodeCase(caseId).status;
        bool open = status == INodeCases.CaseStatus.Open || status == INodeCases.CaseStatus.Contested;
        try _registry.dismissCase(caseId) {
            if (!over || !open) broken = "a case was dismissed out of its time";
        } catch {
            if (over && open) broken = "a case that ran out was not dismissed";
        }
    }

    function collect(uint256 seed) external bookkept {
        uint256 caseId = _caseId(seed);
        if (caseId == 0) return;
        uint256 before = held();
        try _registry.collect(caseId) returns (uint256 amount) {
            if (before - held() != amount) broken = "another sum left the stakes than was collected";
            _payments.push(Payment(block.timestamp, amount));
            slashed += amount;
            ++collections;
            _requireCaps();
        } catch {}
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + 1 + (seconds_ % (seconds_ % 5 == 0 ? 30 days : 2 days)));
    }

    /// @dev What was collected in this epoch and in the 30 days up to now, against shares of what the epoch began with.
    function _requireCaps() private {
        uint256 inEpoch;
        uint256 inWindow;
        for (uint256 i = 0; i < _payments.length; ++i) {
            Payment memory payment = _payments[i];
            if ((payment.time - _startedAt) / 1 days == _epoch) inEpoch += payment.amount;
            if (payment.time + 30 days > block.timestamp) inWindow += payment.amount;
        }
        if (inEpoch > (_heldAtStart * 300) / 10_000) broken = "more than a day may take was collected";
        if (inWindow > (_heldAtStart * 1_500) / 10_000) broken = "more than 30 days may take was collected";
    }

    function _nodeId(uint256 seed) private view returns (bytes32) {
        return _nodeIds[seed % _nodeIds.length];
    }

    function _caseId(uint256 seed) private view returns (uint256) {
        uint256 count = _registry.caseCount();
        return count == 0 ? 0 : 1 + (seed % count);
    }
}
