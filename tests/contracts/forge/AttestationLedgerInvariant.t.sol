// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAttestationLedger} from "../../../contracts/interfaces/IAttestationLedger.sol";
import {AlthingTest} from "./AlthingTest.sol";
import {LedgerHandler} from "./LedgerHandler.sol";

/// @dev The ledger's history, whatever attestor, guardian, votes and strangers do.
contract AttestationLedgerInvariantTest is AlthingTest {
    LedgerHandler internal handler;

    function setUp() public {
        deployAll();
        handler = new LedgerHandler(ledger, attestor, guardian, address(timelock), START);
        vm.warp(START + 2 days);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_ledger() public view {
        require(bytes(handler.broken()).length == 0, handler.broken());
        uint256 next = ledger.nextEpoch();
        require(next == handler.posted(), "epochs were left out or posted twice");
        require(next <= parameters.epochAt(uint48(block.timestamp)), "an epoch was posted that is not over");
        for (uint256 epoch = 0; epoch < next; ++epoch) {
            _requireRecord(epoch);
        }
        require(ledger.status(next) == IAttestationLedger.EpochStatus.None, "an epoch beyond the last");
    }

    /// @dev The walk does what it is meant to: an epoch is posted, voided and posted again.
    function test_setUp_reachesEveryAct() public {
        handler.post(1, "root", 1, 0);
        handler.voidEpoch(1, 7);
        handler.repost(0, "other", 2);
        require(handler.posted() == 1 && handler.voids() == 1 && handler.reposts() == 1, "an act was not reached");
        require(bytes(handler.broken()).length == 0, handler.broken());
    }

    function _requireRecord(uint256 epoch) private view {
        IAttestationLedger.EpochRecord memory held = ledger.record(epoch);
        require(held.root == handler.rootOf(epoch), "a root changed");
        require(held.postedAt == handler.postedAt(epoch), "the time of a root changed");
        require(held.voided == handler.voided(epoch), "a void that nobody made, or that was undone");
        require((held.root == 0) == (held.count == 0), "a root without leaves, or leaves without a root");
        require(held.totalSeconds <= uint256(held.count) * 1 days, "more than a day per leaf");
        require(held.postedAt >= START + (epoch + 1) * 1 days, "posted before its end");
        bool open = block.timestamp < uint256(held.postedAt) + 24 hours;
        IAttestationLedger.EpochStatus expected = held.voided
            ? IAttestationLedger.EpochStatus.Voided
            : open ? IAttestationLedger.EpochStatus.Posted : IAttestationLedger.EpochStatus.Usable;
        require(ledger.status(epoch) == expected, "status");
    }
}
