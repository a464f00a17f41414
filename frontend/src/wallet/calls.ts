// Calls as people see them (function, arguments) and as the chain sees them (target, data).
import type { Hex } from "viem";
import { encodeFunctionData, keccak256 } from "viem/utils";
import { fact } from "../lib/dom";
import { governorAbi, tokenAbi } from "./abi";

export interface Call {
  title: string;
  /** Contract's name, for people. */
  contract: string;
  to: string;
  data: Hex;
  valueWei: bigint;
  /** Function name and arguments, for comparing with what the wallet shows. */
  functionName: string;
  args: [name: string, value: string][];
  purpose: "propose" | "vote" | "delegate" | "queue" | "execute" | "cancel" | "other";
  /** Decimal, or "". */
  proposalId: string;
}

const VOTES = ["Against", "For", "Abstain"] as const;
export const REASON_MAX = 5000;

function governorCall(part: Pick<Call, "title" | "data" | "functionName" | "args" | "purpose" | "proposalId">): Call {
  return { contract: "AlthingGovernor", to: fact("contractAlthinggovernor"), valueWei: 0n, ...part };
}

export function voteCall(proposalId: string, number: string, support: number, reason: string): Call {
  const id = BigInt(proposalId);
  const choice: [string, string] = ["support", `${support} (${VOTES[support]})`];
  const common = { title: `Vote ${VOTES[support]} on proposal #${number}`, purpose: "vote" as const, proposalId };
  if (!reason) {
    const data = encodeFunctionData({ abi: governorAbi, functionName: "castVote", args: [id, support] });
    return governorCall({ ...common, data, functionName: "castVote", args: [["proposalId", proposalId], choice] });
  }
  const data = encodeFunctionData({ abi: governorAbi, functionName: "castVoteWithReason", args: [id, support, reason] });
  return governorCall({
    ...common,
    data,
    functionName: "castVoteWithReason",
    args: [["proposalId", proposalId], choice, ["reason", reason]],
  });
}

const STEPS = { queue: "Queue", execute: "Execute", cancel: "Cancel" } as const;

export function stepCall(step: keyof typeof STEPS, proposalId: string, number: string): Call {
  const data = encodeFunctionData({ abi: governorAbi, functionName: step, args: [BigInt(proposalId)] });
  return governorCall({
    title: `${STEPS[step]} proposal #${number}`,
    data,
    functionName: step,
    args: [["proposalId", proposalId]],
    purpose: step,
    proposalId,
  });
}

export function delegateCall(to: string): Call {
  return {
    title: "Delegate your voting power",
    contract: "AlthingToken",
    to: fact("contractAlthingtoken"),
    data: encodeFunctionData({ abi: tokenAbi, functionName: "delegate", args: [to as Hex] }),
    valueWei: 0n,
    functionName: "delegate",
    args: [["delegatee", to]],
    purpose: "delegate",
    proposalId: "",
  };
}

export interface ProposalCalls {
  targets: Hex[];
  values: bigint[];
  calldatas: Hex[];
  description: string;
}

export function proposeCall({ targets, values, calldatas, description }: ProposalCalls, proposalId: bigint): Call {
  return governorCall({
    title: "Submit the proposal",
    data: encodeFunctionData({ abi: governorAbi, functionName: "propose", args: [targets, values, calldatas, description] }),
    functionName: "propose",
    args: [
      ["targets", targets.join(", ")],
      ["values", values.join(", ")],
      ["calldatas", `${calldatas.length} (hash ${keccak256(`0x${calldatas.map((data) => data.slice(2)).join("")}`)})`],
      ["description", `${description.length} characters`],
    ],
    purpose: "propose",
    proposalId: proposalId.toString(),
  });
}

/** What makes two sendings the same. */
export function callIdentity(call: Call, from: string, chainId: number): string {
  return [chainId, from.toLowerCase(), call.to.toLowerCase(), call.valueWei, keccak256(call.data)].join(":");
}
