// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {INodeCases} from "../../../contracts/interfaces/INodeCases.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {CasesHandler} from "./CasesHandler.sol";

/// @dev The books of the cases, whatever operators, reporters and votes do.
contract NodeCasesInvariantTest is AlthingTest {
    CasesHandler internal handler;

    function setUp() public {
        deployAll();
        handler = new CasesHandler(registry, token, attestor, guardian, START);
        for (uint256 i = 0; i < 4; ++i) {
            address person = handler.person(i);
            vm.prank(holder);
            token.transfer(person, 200_000 * ALT);
            vm.prank(person);
            token.approve(address(registry), type(uint256).max);
        }
        for (uint256 i = 0; i < 6; ++i) {
            handler.register(i, uint32(i));
        }
        vm.warp(START + 1 days);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_cases() public view {
        require(bytes(handler.broken()).length == 0, handler.broken());
        uint256 owed = handler.held() + registry.totalBonds();
        require(token.balanceOf(address(registry)) >= owed, "the balance does not cover stakes and bonds");
        uint256 kept = handler.deposited() - handler.withdrawn() - handler.slashed();
        require(handler.held() == kept, "the books lost or made tokens");
        _requireNodes();
        _requireBonds();
    }

    /// @dev The walk would be worth little if it never came here.
    function test_setUp_allowsTheWholeWay() public {
        handler.openCase(0, 2, 1);
        handler.contestCase(0);
        handler.usurp(0, 0);
        handler.decideCase(0, true, 5_000);
        handler.collect(0);
        handler.requestExit(0);
        vm.warp(block.timestamp + 74 days);
        handler.withdraw(0);
        require(handler.decisions() == 1 && handler.collections() == 1, "no decision was collected");
        require(handler.lateExits() == 1, "no exit came late");
        invariant_cases();
    }

    /// @dev Debt and lock lie within what is held; the lock is that of a case at most; debts are those of the cases.
    function _requireNodes() private view {
        bytes32[] memory nodeIds = handler.nodeIds();
        uint256 count = registry.caseCount();
        for (uint256 i = 0; i < nodeIds.length; ++i) {
            uint256 debt;
            uint256 largest;
            for (uint256 caseId = 1; caseId <= count; ++caseId) {
                INodeCases.Case memory case_ = registry.nodeCase(caseId);
                if (case_.nodeId != nodeIds[i]) continue;
                debt += case_.debt - case_.collected;
                uint256 share = (uint256(case_.stake) * case_.maxBps) / 10_000;
                if (share > largest) largest = share;
                require(case_.debt <= share, "a case took more than its share");
            }
            require(registry.debtOf(nodeIds[i]) == debt, "the debt is not the sum of the cases' debts");
            uint256 locked = registry.lockedStake(nodeIds[i]);
            require(locked <= handler.heldBy(nodeIds[i]), "more is locked than is held");
            require(locked - debt <= largest, "more is locked than the largest case may take");
        }
    }

    function _requireBonds() private view {
        uint256 bonds;
        uint256 count = registry.caseCount();
        for (uint256 caseId = 1; caseId <= count; ++caseId) {
            INodeCases.Case memory case_ = registry.nodeCase(caseId);
            bool open =
                case_.status == INodeCases.CaseStatus.Open || case_.status == INodeCases.CaseStatus.Contested;
            if (open) bonds += case_.bond;
        }
        require(bonds == registry.totalBonds(), "totalBonds is not the sum of the open cases' bonds");
    }
}
