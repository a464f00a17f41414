// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeRegistry} from "../../../contracts/interfaces/INodeRegistry.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {RegistryHandler} from "./RegistryHandler.sol";

/// @dev The registry's books, whatever operators, attestor and votes do.
contract NodeRegistryInvariantTest is AlthingTest {
    RegistryHandler internal handler;

    function setUp() public {
        deployAll();
        handler = new RegistryHandler(registry, token, attestor);
        for (uint256 i = 0; i < 5; ++i) {
            address operator = handler.operator(i);
            vm.prank(holder);
            token.transfer(operator, 200_000 * ALT);
        }
        // The network as it is before the walk begins: small enough nodes that a tenth of all stake is one of them.
        for (uint256 i = 0; i < 12; ++i) {
            handler.register(i, uint32(i % 3));
        }
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_registry() public view {
        uint256 owed = registry.totalStake() + registry.totalUnbonding();
        require(token.balanceOf(address(registry)) >= owed, "the balance does not cover the stakes");
        require(owed == handler.deposited() - handler.withdrawn(), "the books lost or made tokens");
        require(bytes(handler.broken()).length == 0, handler.broken());
        _requireSums();
        require(token.delegates(address(registry)) == token.sentinel(), "staked tokens can vote");
    }

    function test_setUp_allowsSuspensions() public {
        uint256 before = handler.suspensions();
        handler.suspend(0);
        require(handler.suspensions() == before + 1, "the walk would never suspend");
    }

    function _requireSums() private view {
        bytes32[] memory nodeIds = handler.nodeIds();
        uint256 stakes;
        uint256 unbonding;
        for (uint256 i = 0; i < nodeIds.length; ++i) {
            INodeRegistry.Node memory node = registry.node(nodeIds[i]);
            stakes += node.stake;
            INodeRegistry.Unbond[] memory unbonds = registry.unbonds(nodeIds[i]);
            for (uint256 j = 0; j < unbonds.length; ++j) {
                unbonding += unbonds[j].amount;
                require(j == 0 || unbonds[j].withdrawableAt >= unbonds[j - 1].withdrawableAt, "unbonds out of order");
            }
            require(unbonds.length <= 11, "more unbonds than allowed");
        }
        require(stakes == registry.totalStake(), "totalStake is not the sum of stakes");
        require(unbonding == registry.totalUnbonding(), "totalUnbonding is not the sum of unbonds");
    }
}
