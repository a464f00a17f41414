// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeCases} from "../../../contracts/interfaces/INodeCases.sol";
import {AlthingTest} from "./AlthingTest.sol";

/// @dev What a case costs those who act in it.
contract NodeCasesGasTest is AlthingTest {
    bytes32 private nodeId;
    uint256 private contested;
    uint256 private owed;

    function setUp() public {
        deployAll();
        vm.startPrank(holder);
        token.approve(address(registry), type(uint256).max);
        registry.register("other", H100, 16, "eu", "");
        nodeId = registry.register("k", H100, 8, "eu", "");
        owed = registry.openCase(nodeId, INodeCases.CaseKind.Spoof, "first");
        contested = registry.openCase(nodeId, INodeCases.CaseKind.Spoof, "second");
        registry.contestCase(owed, "answer");
        registry.contestCase(contested, "answer");
        vm.stopPrank();
        vm.prank(address(timelock));
        registry.decideCase(owed, true, 100);
        vm.warp(START + 2 days);
    }

    function test_gas_openCase() public {
        vm.prank(holder);
        registry.openCase(nodeId, INodeCases.CaseKind.Spoof, "another");
    }

    function test_gas_decideCase() public {
        vm.prank(address(timelock));
        registry.decideCase(contested, true, 100);
    }

    function test_gas_collect() public {
        registry.collect(owed);
    }

    function test_gas_dismissCase() public {
        vm.warp(START + 70 days);
        registry.dismissCase(contested);
    }
}
