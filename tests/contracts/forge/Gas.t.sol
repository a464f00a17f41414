// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INetworkParameters} from "../../../contracts/interfaces/INetworkParameters.sol";
import {AlthingTest} from "./AlthingTest.sol";

/// @dev What the acts that people pay for cost. `forge snapshot` keeps the figures in .gas-snapshot.
contract GasTest is AlthingTest {
    uint256 private proposalId;
    address[] private targets;
    uint256[] private values;
    bytes[] private calldatas;
    bytes32 private nodeId;

    function setUp() public {
        deployAll();
        vm.startPrank(holder);
        token.delegate(holder);
        token.approve(address(registry), type(uint256).max);
        nodeId = registry.register("k", H100, 2, "eu-north", "ipfs://node");
        registry.register("other", H100, 16, "eu-north", "ipfs://node");
        registry.register("third", H100, 16, "eu-north", "ipfs://node");
        vm.stopPrank();
        targets.push(address(parameters));
        values.push(0);
        (bytes32[] memory keys, bytes32[] memory newValues) = single("attest.ttl", 2400);
        bytes32[] memory expected = new bytes32[](1);
        expected[0] = parameters.getVoted(keys[0]);
        calldatas.push(abi.encodeCall(INetworkParameters.set, (keys, expected, newValues)));
        vm.warp(block.timestamp + 1);
        vm.prank(holder);
        proposalId = governor.propose(targets, values, calldatas, "gas");
        vm.warp(block.timestamp + 6);
    }

    function test_gas_delegate() public {
        vm.prank(otherHolder);
        token.delegate(holder);
    }

    function test_gas_propose() public {
        vm.prank(holder);
        governor.propose(targets, values, calldatas, "another");
    }

    function test_gas_castVote() public {
        vm.prank(holder);
        governor.castVote(proposalId, 1);
    }

    function test_gas_voteQueueExecuteParameterSet() public {
        vm.prank(holder);
        governor.castVote(proposalId, 1);
        vm.warp(block.timestamp + 80);
        governor.queue(targets, values, calldatas, keccak256("gas"));
        vm.warp(block.timestamp + 11);
        governor.execute(targets, values, calldatas, keccak256("gas"));
    }

    function test_gas_setOneParameter() public {
        setOne("attest.ttl", 2400);
    }

    function test_gas_setTwoParameters() public {
        (bytes32[] memory keys, bytes32[] memory newValues) =
            pair("attest.ttl", 2400, "attest.report_interval", 840);
        setAs(address(timelock), keys, newValues);
    }

    function test_gas_getParameter() public view {
        parameters.get(keyOf("attest.ttl"));
    }

    function test_gas_registerNode() public {
        vm.prank(holder);
        registry.register("new", H100, 8, "eu-north", "ipfs://node");
    }

    function test_gas_suspendNode() public {
        vm.prank(attestor);
        registry.suspend(nodeId, "stale", "evidence");
    }

    function test_gas_exitAndWithdraw() public {
        vm.prank(holder);
        registry.requestExit(nodeId);
        vm.warp(block.timestamp + 14 days);
        vm.prank(holder);
        registry.withdraw(nodeId, holder);
    }
}
