// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {AlthingTest} from "./AlthingTest.sol";

/// @dev Stake formulas and roles for any input.
contract NodeRegistryFuzzTest is AlthingTest {
    function setUp() public {
        deployAll();
        vm.prank(holder);
        token.approve(address(registry), type(uint256).max);
    }

    function testFuzz_register_takesThePriceOrTheMinimum(uint32 gpus) public {
        gpus = uint32(bound(gpus, 1, 16));
        uint256 before = token.balanceOf(holder);
        bytes32 nodeId = _register(holder, "k", "edge_iot", gpus);
        uint256 perGpu = uint256(gpus) * valueOf("stake.per_gpu_edge_iot");
        uint256 minimum = valueOf("stake.min_provider");
        uint256 expected = perGpu > minimum ? perGpu : minimum;
        assertEq(before - token.balanceOf(holder), expected, "taken");
        assertEq(registry.node(nodeId).stake, expected, "booked");
    }

    function testFuzz_register_revertsForTooManyGpus(uint32 gpus) public {
        vm.assume(gpus == 0 || gpus > 16);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeGpuCountInvalid.selector, gpus, 16));
        vm.prank(holder);
        registry.register("k", H100, gpus, "eu", "");
    }

    function testFuzz_register_revertsForUnknownClass(bytes32 class) public {
        vm.assume(class != H100 && class != "edge_iot" && bytes1(class) != "c" && bytes1(class) != "w");
        vm.assume(bytes1(class) != "a" && bytes1(class) != "h" && bytes1(class) != "b" && bytes1(class) != "q");
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeClassUnknown.selector, class));
        vm.prank(holder);
        registry.register("k", class, 1, "eu", "");
    }

    /// @dev A copy of somebody's key hash neither blocks the original nor shares its identity.
    function testFuzz_register_copyOfKeysIsWorthNothing(bytes32 keysHash) public {
        vm.assume(keysHash != 0);
        vm.prank(holder);
        token.transfer(otherHolder, 1_000 * ALT);
        vm.prank(otherHolder);
        token.approve(address(registry), type(uint256).max);
        bytes32 copy = _register(otherHolder, keysHash, H100, 1);
        bytes32 original = _register(holder, keysHash, H100, 1);
        require(copy != original, "one identity for two operators");
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeKeysAlreadyUsed.selector, keysHash));
        vm.prank(holder);
        registry.register(keysHash, H100, 1, "eu", "");
    }

    function testFuzz_operatorActs_belongToTheOperator(address caller) public {
        vm.assume(caller != holder);
        bytes32 nodeId = _register(holder, "k", H100, 2);
        bytes memory refused = abi.encodeWithSelector(INodeRegistry.NodeUnauthorized.selector, nodeId, caller);
        vm.startPrank(caller);
        vm.expectRevert(refused);
        registry.updateCapacity(nodeId, 1);
        vm.expectRevert(refused);
        registry.rotateKeys(nodeId, "new");
        vm.expectRevert(refused);
        registry.addStake(nodeId, 1);
        vm.expectRevert(refused);
        registry.requestUnstake(nodeId, 1);
        vm.expectRevert(refused);
        registry.requestExit(nodeId);
        vm.expectRevert(refused);
        registry.withdraw(nodeId, caller);
        vm.stopPrank();
    }

    function testFuzz_attestorActs_belongToTheRole(address caller) public {
        vm.assume(caller != attestor && caller != guardian);
        bytes32 nodeId = _register(holder, "k", H100, 2);
        bytes32 role = keccak256("ATTESTOR_ROLE");
        bytes memory refused =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role);
        vm.startPrank(caller);
        vm.expectRevert(refused);
        registry.suspend(nodeId, "r", "e");
        vm.expectRevert(refused);
        registry.resume(nodeId);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeGuardianOnly.selector, caller));
        registry.revokeAttestor(attestor);
        vm.stopPrank();
    }

    /// @dev Whatever the attestor does, an exit pays everything after the unbonding period.
    function testFuzz_exit_paysEverything(uint32 gpus, uint256 wait, bool suspended) public {
        gpus = uint32(bound(gpus, 1, 16));
        _register(holder, "other", H100, 16);
        _register(holder, "third", H100, 16);
        bytes32 nodeId = _register(holder, "k", "edge_iot", gpus);
        uint256 stake = registry.node(nodeId).stake;
        if (suspended) {
            vm.prank(attestor);
            registry.suspend(nodeId, "r", "e");
        }
        vm.prank(holder);
        registry.requestExit(nodeId);
        uint256 dueAt = block.timestamp + valueOf("stake.unbonding_period");
        vm.warp(block.timestamp + bound(wait, 0, dueAt - block.timestamp - 1));
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NodeNothingToWithdraw.selector, nodeId, dueAt));
        vm.prank(holder);
        registry.withdraw(nodeId, otherHolder);
        vm.warp(dueAt);
        uint256 before = token.balanceOf(otherHolder);
        vm.prank(holder);
        registry.withdraw(nodeId, otherHolder);
        assertEq(token.balanceOf(otherHolder) - before, stake, "paid");
        require(registry.status(nodeId) == INodeRegistry.NodeStatus.Exited, "status");
    }

    function _register(address operator, bytes32 keysHash, bytes32 class, uint32 gpus) private returns (bytes32) {
        vm.prank(operator);
        return registry.register(keysHash, class, gpus, "eu", "");
    }
}
