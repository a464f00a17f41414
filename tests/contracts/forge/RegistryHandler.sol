// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {IRegistry, IToken} from "./AlthingTest.sol";
import {Vm} from "./Vm.sol";

/// @dev Five operators, an attestor, somebody who sends tokens by mistake, and the clock.
contract RegistryHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant OPERATORS = 5;
    uint256 private constant ALT = 1e18;

    IRegistry private immutable _registry;
    IToken private immutable _token;
    INetworkParameters private immutable _parameters;
    address private immutable _attestor;
    address private immutable _timelock;
    bytes32[] private _nodeIds;
    mapping(bytes32 nodeId => address) private _operators;
    mapping(bytes32 nodeId => uint256 time) private _exitDueAt;

    // Figures kept apart from the contract's.
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public registrations;
    uint256 public suspensions;
    string public broken;

    constructor(IRegistry registry, IToken token, address attestor) {
        (_registry, _token, _attestor) = (registry, token, attestor);
        _parameters = INetworkParameters(registry.parameters());
        _timelock = _parameters.timelock();
    }

    function operator(uint256 seed) public pure returns (address) {
        return address(uint160(0x7000 + (seed % OPERATORS)));
    }

    function nodeIds() external view returns (bytes32[] memory) {
        return _nodeIds;
    }

    function register(uint256 seed, uint32 gpus) external {
        address sender = operator(seed);
        gpus = 1 + (gpus % 16);
        bytes32 class = seed % 3 == 0 ? bytes32("edge_iot") : bytes32("h100_80g");
        bytes32 keysHash = keccak256(abi.encode(seed, _nodeIds.length));
        uint256 stake = _registry.requiredStake(class, gpus);
        if (_token.balanceOf(sender) < stake) return;
        vm.prank(sender);
        _token.approve(address(_registry), stake);
        vm.prank(sender);
        bytes32 nodeId = _registry.register(keysHash, class, gpus, "eu-north", "ipfs://x");
        _nodeIds.push(nodeId);
        _operators[nodeId] = sender;
        deposited += stake;
        ++registrations;
    }

    function addStake(uint256 seed, uint256 amount) external {
        if (_nodeIds.length == 0) return;
        bytes32 nodeId = _nodeId(seed);
        amount = 1 + (amount % (500 * ALT));
        vm.startPrank(_operators[nodeId]);
        _token.approve(address(_registry), amount);
        try _registry.addStake(nodeId, amount) {
            deposited += amount;
        } catch {}
        vm.stopPrank();
    }

    function updateCapacity(uint256 seed, uint32 gpus) external {
        if (_nodeIds.length == 0) return;
        bytes32 nodeId = _nodeId(seed);
        uint32 before = _registry.node(nodeId).gpuCount;
        gpus = gpus % 20;
        vm.prank(_operators[nodeId]);
        try _registry.updateCapacity(nodeId, gpus) {
            if (gpus > before && !_registry.isCovered(nodeId)) broken = "capacity grew beyond its stake";
        } catch {}
    }

    function requestUnstake(uint256 seed, uint256 amount) external {
        if (_nodeIds.length == 0) return;
        bytes32 nodeId = _nodeId(seed);
        vm.prank(_operators[nodeId]);
        try _registry.requestUnstake(nodeId, 1 + (amount % (300 * ALT))) {
            if (!_registry.isCovered(nodeId)) broken = "stake left that the capacity needs";
        } catch {}
    }

    /// @dev Nothing may stop an exit, a suspension included.
    function requestExit(uint256 seed) external {
        // Exits are rarer than the rest, or no node would live long.
        if (_nodeIds.length == 0 || seed % 3 != 0) return;
        bytes32 nodeId = _nodeId(seed);
        if (_exitDueAt[nodeId] != 0) return;
        uint32 unbondingPeriod = _registry.node(nodeId).unbondingPeriod;
        vm.prank(_operators[nodeId]);
        _registry.requestExit(nodeId);
        _exitDueAt[nodeId] = block.timestamp + unbondingPeriod;
    }

    function withdraw(uint256 seed) external {
        if (_nodeIds.length == 0) return;
        bytes32 nodeId = _nodeId(seed);
        bool due = _exitDueAt[nodeId] != 0 && block.timestamp >= _exitDueAt[nodeId]
            && _registry.status(nodeId) != INodeRegistry.NodeStatus.Exited;
        vm.prank(_operators[nodeId]);
        try _registry.withdraw(nodeId, _operators[nodeId]) returns (uint256 amount) {
            withdrawn += amount;
            if (due && _registry.status(nodeId) != INodeRegistry.NodeStatus.Exited) broken = "an exit left something";
        } catch {
            if (due) broken = "a due withdrawal was refused";
        }
    }

    function suspend(uint256 seed) external {
        if (_nodeIds.length == 0) return;
        bytes32 nodeId = _nodeId(seed);
        uint256 stake = _registry.node(nodeId).stake;
        uint256 total = _registry.totalStake();
        vm.prank(_attestor);
        try _registry.suspend(nodeId, "stale", keccak256("evidence")) {
            ++suspensions;
            if (stake * 10 > total) broken = "more than a tenth of all stake was suspended at once";
            if (_registry.node(nodeId).suspendedUntil > block.timestamp + 72 hours) broken = "longer than 72 hours";
        } catch {}
    }

    function resume(uint256 seed) external {
        if (_nodeIds.length == 0) return;
        vm.prank(_attestor);
        try _registry.resume(_nodeId(seed)) {} catch {}
    }

    /// @dev A vote raises or lowers what a GPU costs while nodes exist.
    function changePrice(bool up) external {
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory expected = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = keccak256("stake.per_gpu_h100_80g");
        expected[0] = _parameters.getVoted(keys[0]);
        values[0] = bytes32(up ? uint256(expected[0]) + 40 * ALT : uint256(expected[0]) - 40 * ALT);
        vm.prank(_timelock);
        try _parameters.set(keys, expected, values) {} catch {}
    }

    function donate(uint256 amount) external {
        vm.prank(operator(0));
        try _token.transfer(address(_registry), amount % ALT) {} catch {}
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + 1 + (seconds_ % (seconds_ % 4 == 0 ? 15 days : 1 days)));
    }

    function _nodeId(uint256 seed) private view returns (bytes32) {
        return _nodeIds[seed % _nodeIds.length];
    }
}
