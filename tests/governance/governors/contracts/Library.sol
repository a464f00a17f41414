// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// What the tests deploy as OpenZeppelin has it.
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
