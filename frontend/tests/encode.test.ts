// The browser's encoding against the contracts' own ABI, and against known proposal ids.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { getAbiItem, toFunctionSelector } from "viem/utils";
import { governorAbi, parametersAbi, tokenAbi } from "../src/wallet/abi";
import { callIdentity, voteCall } from "../src/wallet/calls";
import { actionEncode, addressRead, functionDecode, functionEncode, parameterKey, proposalId, signature } from "../src/wizard/encode";
import type { ContractFact, Facts, FunctionFact } from "../src/wizard/types";

const root = path.resolve(import.meta.dirname, "..", "..", "..");
const registry = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const someone = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

before(() => {
  const dataset = { contractNetworkparameters: registry, contractAlthinggovernor: registry, contractAlthingtoken: registry };
  Object.assign(globalThis, { document: { body: { dataset } } });
});

function selectors(contract: string): Set<string> {
  const { abi } = JSON.parse(readFileSync(path.join(root, "chain", "abi", `${contract}.json`), "utf8")) as { abi: { type: string }[] };
  return new Set(abi.filter(({ type }) => type === "function").map((item) => toFunctionSelector(item as never)));
}

for (const [contract, abi] of [["AlthingGovernor", governorAbi], ["AlthingToken", tokenAbi], ["NetworkParameters", parametersAbi]] as const) {
  test(`every function signed for ${contract} is in its ABI`, () => {
    const known = selectors(contract);
    for (const item of abi) assert.ok(known.has(toFunctionSelector(item)), `${contract}.${item.name}`);
  });
}

const parameter = (name: string, voted_value: string) => ({ name, voted_value }) as Facts["parameters"][number];
const facts = {
  parameters: [parameter("attest.ttl", "2700"), parameter("attest.nonce_ttl", "120")],
  assets: [
    { code: "ETH", name: "Ether", decimals: 18, token: null, balance_wei: "0" },
    { code: "ALT", name: "Althing", decimals: 18, token: registry, balance_wei: "0" },
  ],
  contracts: [], limits: { actions: 10, description_bytes: 20480 }, block_time: 0,
} as Facts;

test("a parameter set has ascending keys, the expected values and the new ones", () => {
  const changes = [{ name: "attest.ttl", value: "1800" }, { name: "attest.nonce_ttl", value: "180" }];
  const forward = actionEncode({ type: "parameter_set", changes }, facts);
  const backward = actionEncode({ type: "parameter_set", changes: changes.toReversed() }, facts);
  assert.deepEqual(forward, backward);
  const [first, second] = changes.map(({ name }) => parameterKey(name).slice(2)).sort();
  assert.ok(forward.calldata.indexOf(first!) < forward.calldata.indexOf(second!));
  assert.ok(forward.calldata.includes((2700).toString(16).padStart(64, "0")));
  assert.ok(forward.calldata.includes((1800).toString(16).padStart(64, "0")));
  assert.equal(forward.calldata.slice(0, 10), toFunctionSelector(getAbiItem({ abi: parametersAbi, name: "set" })));
});

test("payments: the coin by value, a token by its transfer", () => {
  const coin = actionEncode({ type: "transfer", asset: "ETH", recipient: someone, amount_wei: "5" }, facts);
  assert.deepEqual(coin, { target: someone, value: 5n, calldata: "0x" });
  const token = actionEncode({ type: "transfer", asset: "ALT", recipient: someone, amount_wei: "5" }, facts);
  assert.equal(token.target, registry);
  assert.equal(token.value, 0n);
  assert.equal(token.calldata, `0xa9059cbb${someone.slice(2).toLowerCase().padStart(64, "0")}${"5".padStart(64, "0")}`);
  assert.throws(() => actionEncode({ type: "transfer", asset: "DOGE", recipient: someone, amount_wei: "5" }, facts), /does not know the asset/);
});

test("votes with and without a reason", () => {
  assert.equal(voteCall("12", "3", 1, "").functionName, "castVote");
  const call = voteCall("12", "3", 0, "Because.");
  assert.equal(call.functionName, "castVoteWithReason");
  assert.equal(call.title, "Vote Against on proposal #3");
  assert.notEqual(callIdentity(call, someone, 1), callIdentity(call, someone, 2));
  assert.equal(callIdentity(call, someone, 1), callIdentity(call, someone.toLowerCase(), 1));
});

const define: FunctionFact = {
  name: "mix", payable: false,
  inputs: [
    { name: "amount", type: "uint8" }, { name: "who", type: "address" }, { name: "word", type: "bytes4" },
    { name: "many", type: "uint256[]" }, { name: "note", type: "string" }, { name: "on", type: "bool" },
    { name: "spec", type: "tuple", components: [{ name: "a", type: "uint256" }, { name: "b", type: "bool" }] },
  ],
};

test("a typed call survives the way to bytes and back", () => {
  assert.equal(signature(define), "mix(uint8,address,bytes4,uint256[],string,bool,(uint256,bool))");
  const data = functionEncode(define, ["7", someone, "0x01020304", '["1","2"]', "0x12 is a text", "true", '{"a":"5","b":true}']);
  const contract: ContractFact = { name: "X", address: registry, functions: [define] };
  const decoded = functionDecode(contract, data);
  assert.equal(decoded?.item.name, "mix");
  assert.deepEqual(decoded?.args.slice(0, 6), [7, someone, "0x01020304", [1n, 2n], "0x12 is a text", true]);
  assert.equal(functionDecode(contract, "0xdeadbeef"), null);
  assert.equal(functionDecode(contract, data.slice(0, 40)), null);
});

for (const [texts, words] of [
  [["x", someone, "0x01020304", "[]", "", "true", "[]"], /amount: enter a whole number/],
  [["-1", someone, "0x01020304", "[]", "", "true", "[]"], /amount: the number does not fit/],
  [["1", "althing.eth", "0x01020304", "[]", "", "true", "[]"], /who: names are not looked up/],
  [["1", "0x70997970c51812dc3A010C7d01b50e0d17dc79C8", "0x01020304", "[]", "", "true", "[]"], /who: the capital letters/],
  [["1", someone, "0x0102", "[]", "", "true", "[]"], /word: bytes4 has 8/],
  [["1", someone, "0x01020304", "1,2", "", "true", "[]"], /many: enter JSON/],
] as const) {
  test(`refused argument: ${words.source}`, () => assert.throws(() => functionEncode(define, [...texts]), words));
}

test("addresses", () => {
  assert.equal(addressRead(someone.toLowerCase()), someone);
  assert.throws(() => addressRead(`0x${"0".repeat(40)}`, "Recipient", false), /zero address/);
  assert.throws(() => addressRead("0x1234"), /40 hexadecimal digits/);
  assert.throws(() => addressRead(`\u202e${someone}`), /40 hexadecimal digits/);
});

const vectors = [process.env.ALTHING_VECTORS, path.join(root, "..", "shared", "vectors")].find((folder) => folder && existsSync(folder));

/** RFC 4180, enough of it. */
function csv(text: string): string[][] {
  const rows: string[][] = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    const row = rows.at(-1)!;
    if (sign === '"' && quoted && text[at + 1] === '"') row[row.length - 1] += text[++at];
    else if (sign === '"') quoted = !quoted;
    else if (sign === "," && !quoted) row.push("");
    else if (sign === "\n" && !quoted) rows.push([""]);
    else row[row.length - 1] += sign;
  }
  return rows.filter((row) => row.length > 1);
}

test("proposal ids of a governor in production recompute", { skip: vectors ? false : "no vectors beside the checkout" }, () => {
  const [header, ...rows] = csv(readFileSync(path.join(vectors!, "optimism-governor", "proposal_created.csv"), "utf8"));
  let checked = 0;
  for (const row of rows) {
    const cell = (name: string) => row[header!.indexOf(name)] ?? "";
    const targets = JSON.parse(cell("targets")) as string[];
    const values = JSON.parse(cell("values")) as number[];
    const calldatas = cell("calldatas").slice(1, -1).split(",").map((text) => text.replaceAll(/[^0-9a-f]/gi, ""));
    const calls = targets.map((target, index) => ({ target: target as `0x${string}`, value: BigInt(values[index]!), calldata: `0x${calldatas[index] ?? ""}` as const }));
    const text = cell("description");
    assert.equal(proposalId(calls, text.startsWith('"') ? (JSON.parse(text) as string) : text), BigInt(cell("proposal_id")), cell("proposal_id"));
    checked++;
  }
  assert.ok(checked > 5, `only ${checked} proposals were checked`);
});
