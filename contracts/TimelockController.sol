// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// OpenZeppelin's timelock, unchanged. This file only has it compiled with ours.
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
