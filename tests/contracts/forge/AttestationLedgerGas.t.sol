// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAttestationLedger} from "../../../contracts/interfaces/IAttestationLedger.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {LedgerTree} from "./LedgerTree.sol";

/// @dev What anchoring costs a day, and what a proof costs in an epoch of a million verdicts.
contract AttestationLedgerGasTest is AlthingTest {
    uint256 private constant DEPTH = 20;

    IAttestationLedger.VerdictLeaf private verdict;
    bytes32[] private proof;

    function setUp() public {
        deployAll();
        verdict = IAttestationLedger.VerdictLeaf({
            nodeId: "node",
            verdictHash: "verdict",
            tier: 4,
            status: 2,
            secondsAttested: 900
        });
        bytes32 root = ledger.leafHash(0, verdict, 0);
        for (uint256 i = 0; i < DEPTH; ++i) {
            proof.push(keccak256(abi.encode(i)));
            root = LedgerTree.inner(root, proof[i]);
        }
        vm.warp(START + 1 days);
        vm.prank(attestor);
        ledger.post(0, root, uint32(2 ** DEPTH), 900, "about");
        vm.warp(START + 2 days);
        vm.prank(attestor);
        ledger.post(1, "root", 1, 900, "about");
        vm.warp(START + 3 days - 1);
    }

    function test_gas_postEpoch() public {
        vm.warp(START + 3 days);
        vm.prank(attestor);
        ledger.post(2, "root", 960_000, 900, "about");
    }

    function test_gas_voidEpoch() public {
        vm.prank(guardian);
        ledger.voidEpoch(1, "why");
    }

    function test_gas_verifyVerdictAmongAMillion() public view {
        require(ledger.verify(0, verdict, 0, proof), "refused");
    }
}
