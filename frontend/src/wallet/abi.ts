// The functions people sign. tests/abi.test.ts holds them against the contracts' own ABI.
import { parseAbi } from "viem/utils";

export const governorAbi = parseAbi([
  "function castVote(uint256 proposalId, uint8 support) returns (uint256)",
  "function castVoteWithReason(uint256 proposalId, uint8 support, string reason) returns (uint256)",
  "function propose(address[] targets, uint256[] values, bytes[] calldatas, string description) returns (uint256)",
  "function queue(uint256 proposalId)",
  "function execute(uint256 proposalId) payable",
  "function cancel(uint256 proposalId)",
]);

export const tokenAbi = parseAbi([
  "function delegate(address delegatee)",
  "function transfer(address to, uint256 value) returns (bool)",
]);

export const parametersAbi = parseAbi(["function set(bytes32[] keys, bytes32[] expected, bytes32[] values)"]);
