// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAlthingGovernor} from "../../../contracts/interfaces/IAlthingGovernor.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {Ballot, GovernorHandler} from "./GovernorHandler.sol";

/// @dev A proposal runs at most once, in its time, and through the governor alone.
contract AlthingGovernorInvariantTest is AlthingTest {
    GovernorHandler internal handler;

    function setUp() public {
        deployAll();
        vm.prank(holder);
        token.delegate(holder);
        Ballot ballot = new Ballot(address(timelock));
        Ballot routineBallot = new Ballot(address(timelock));
        _makeRoutine(address(routineBallot));
        handler = new GovernorHandler(governor, timelock, holder, guardian, ballot, routineBallot);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_governor() public view {
        require(bytes(handler.broken()).length == 0, handler.broken());
        require(!handler.ballot().strangerCalled() && !handler.routineBallot().strangerCalled(), "not by the timelock");
        uint256 count = handler.proposalCount();
        uint256 ran;
        for (uint256 i = 1; i <= count; ++i) {
            uint256 times = handler.ballot().ran(i) + handler.routineBallot().ran(i);
            require(times <= 1, "a proposal ran twice");
            ran += times;
        }
        require(ran == handler.executions(), "a call ran outside an execution");
    }

    function test_handler_executesAProposal() public {
        handler.propose(true);
        handler.wait(9);
        handler.vote(0, 1);
        for (uint256 i = 0; i < 3; ++i) {
            handler.wait(39);
        }
        handler.queue(0);
        handler.wait(21);
        handler.execute(0);
        handler.execute(0);
        require(handler.executions() == 1, "the walk would never execute");
    }

    function _makeRoutine(address target) private {
        address[] memory targets = new address[](1);
        bytes[] memory calldatas = new bytes[](1);
        targets[0] = address(governor);
        calldatas[0] = abi.encodeCall(IAlthingGovernor.setRoutine, (target, Ballot.run.selector, true));
        vm.warp(block.timestamp + 1);
        vm.prank(holder);
        uint256 id = governor.propose(targets, new uint256[](1), calldatas, "r");
        vm.warp(block.timestamp + 6);
        vm.prank(holder);
        governor.castVote(id, 1);
        vm.warp(block.timestamp + 80);
        governor.queue(targets, new uint256[](1), calldatas, keccak256("r"));
        vm.warp(block.timestamp + 31);
        governor.execute(targets, new uint256[](1), calldatas, keccak256("r"));
    }
}
