// The browser's own encoding of what the person chose, to hold the server's against it.
import type { AbiParameter, Hex } from "viem";
import {
  decodeFunctionData,
  encodeAbiParameters,
  encodeFunctionData,
  getAddress,
  isAddress,
  keccak256,
  numberToHex,
  stringToBytes,
  toFunctionSelector,
} from "viem/utils";
import { fact } from "../lib/dom";
import { parametersAbi, tokenAbi } from "../wallet/abi";
import type { Action, ContractFact, Facts, FunctionFact } from "./types";

export interface EncodedCall {
  target: Hex;
  value: bigint;
  calldata: Hex;
}

const UINT_MAX = 2n ** 256n - 1n;

export function word(value: string): Hex {
  return value.startsWith("0x") ? (value as Hex) : numberToHex(BigInt(value), { size: 32 });
}

export function parameterKey(name: string): Hex {
  return keccak256(stringToBytes(name));
}

/** The calldata and target of an action, from the person's own input and the registry's values. */
export function actionEncode(action: Action, facts: Facts): EncodedCall {
  switch (action.type) {
    case "parameter_set":
      return setEncode(action.changes, facts);
    case "transfer":
      return transferEncode(action, facts);
    case "custom_call":
      return {
        target: getAddress(action.target),
        value: BigInt(action.value_wei),
        calldata: action.calldata.toLowerCase() as Hex,
      };
  }
}

function setEncode(changes: { name: string; value: string }[], facts: Facts): EncodedCall {
  const rows = changes.map(({ name, value }) => {
    const known = facts.parameters.find((parameter) => parameter.name === name);
    if (!known) throw new Error(`There is no parameter ${name}.`);
    return { key: parameterKey(name), expected: word(known.voted_value), value: word(value) };
  });
  rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  const calldata = encodeFunctionData({
    abi: parametersAbi,
    functionName: "set",
    args: [rows.map((row) => row.key), rows.map((row) => row.expected), rows.map((row) => row.value)],
  });
  return { target: getAddress(fact("contractNetworkparameters")), value: 0n, calldata };
}

function transferEncode(action: Extract<Action, { type: "transfer" }>, facts: Facts): EncodedCall {
  const recipient = getAddress(action.recipient);
  const amount = BigInt(action.amount_wei);
  const asset = facts.assets.find(({ code }) => code === action.asset);
  if (!asset) throw new Error(`The treasury does not know the asset ${action.asset}.`);
  if (!asset.token) return { target: recipient, value: amount, calldata: "0x" };
  const calldata = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args: [recipient, amount] });
  return { target: getAddress(asset.token), value: 0n, calldata };
}

/** keccak256(abi.encode(targets, values, calldatas, keccak256(description))): Governor.getProposalId. */
export function proposalId(calls: EncodedCall[], description: string): bigint {
  const encoded = encodeAbiParameters(
    [{ type: "address[]" }, { type: "uint256[]" }, { type: "bytes[]" }, { type: "bytes32" }],
    [
      calls.map(({ target }) => target),
      calls.map(({ value }) => value),
      calls.map(({ calldata }) => calldata),
      keccak256(stringToBytes(description)),
    ],
  );
  return BigInt(keccak256(encoded));
}

export function signature({ name, inputs }: FunctionFact): string {
  const type = (input: AbiParameter): string =>
    input.type.startsWith("tuple") && "components" in input
      ? `(${input.components.map(type).join(",")})${input.type.slice(5)}`
      : input.type;
  return `${name}(${inputs.map(type).join(",")})`;
}

function abiItem(item: FunctionFact) {
  return { type: "function", name: item.name, inputs: item.inputs, outputs: [], stateMutability: item.payable ? "payable" : "nonpayable" } as const;
}

/** Encodes a call of a known function from what was typed. Throws Error with a sentence. */
export function functionEncode(item: FunctionFact, texts: string[]): Hex {
  const args = item.inputs.map((input, index) => argument(input, texts[index] ?? ""));
  return encodeFunctionData({ abi: [abiItem(item)], functionName: item.name, args });
}

/** The function and arguments behind calldata, where the contract is ours; null otherwise. */
export function functionDecode(contract: ContractFact | undefined, calldata: string): { item: FunctionFact; args: unknown[] } | null {
  const item = contract?.functions.find((entry) => toFunctionSelector(signature(entry)) === calldata.slice(0, 10));
  if (!item) return null;
  try {
    const { args } = decodeFunctionData({ abi: [abiItem(item)], data: calldata as Hex });
    return { item, args: [...((args ?? []) as unknown[])] };
  } catch {
    return null;
  }
}

function argument(input: AbiParameter, text: string): unknown {
  const name = input.name || input.type;
  const clean = text.trim();
  if (input.type === "string") return text;
  if (/^(u?int)\d*$/.test(input.type)) {
    const digits = clean.replace(/[\s\u202f\u00a0_]/g, "");
    if (!/^-?\d{1,78}$/.test(digits)) throw new Error(`${name}: enter a whole number in base units.`);
    const value = BigInt(digits);
    if (value > UINT_MAX || (input.type.startsWith("u") && value < 0n)) throw new Error(`${name}: the number does not fit ${input.type}.`);
    return value;
  }
  if (input.type === "bool") return clean === "true";
  if (input.type === "address") return addressRead(clean, name);
  if (/^bytes\d*$/.test(input.type)) {
    const size = Number(input.type.slice(5)) || 0;
    if (!/^0x([0-9a-fA-F]{2})*$/.test(clean)) throw new Error(`${name}: enter 0x and an even number of hexadecimal digits.`);
    if (size && clean.length !== 2 + size * 2) throw new Error(`${name}: ${input.type} has ${size * 2} hexadecimal digits after 0x.`);
    return clean;
  }
  return compound(input, clean, name);
}

/** Arrays and structs are typed as JSON, with numbers in quotes. */
function compound(input: AbiParameter, text: string, name: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${name}: enter JSON, with every number in quotes: ["1", "2"].`);
  }
  const array = /^(.*)\[\d*\]$/.exec(input.type);
  if (array) {
    if (!Array.isArray(value)) throw new Error(`${name}: enter a JSON list.`);
    const inner = { ...input, type: array[1]! } as AbiParameter;
    return value.map((entry) => argument(inner, asText(entry)));
  }
  const parts = "components" in input ? input.components : [];
  return parts.map((part, index) => {
    const from = Array.isArray(value) ? value[index] : (value as Record<string, unknown> | null)?.[part.name ?? ""];
    return argument(part, asText(from));
  });
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}

/** An address in EIP-55 form. Throws Error with a sentence. */
export function addressRead(text: string, name = "Address", zero = true): Hex {
  const clean = text.trim();
  if (/\.eth$/i.test(clean)) throw new Error(`${name}: names are not looked up here; enter the address itself.`);
  if (!/^0x[0-9a-fA-F]{40}$/.test(clean)) throw new Error(`${name}: enter 0x and 40 hexadecimal digits.`);
  const digits = clean.slice(2);
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (mixed && !isAddress(clean)) throw new Error(`${name}: the capital letters do not match; check the address for a typing error.`);
  if (!zero && /^0x0{40}$/.test(clean)) throw new Error(`${name}: this is the zero address; nobody holds its key.`);
  return getAddress(clean.toLowerCase());
}
