import assert from "node:assert/strict";
import { test } from "node:test";
import type { ParameterFact } from "../src/wizard/types";
import { changeWords, parameterValue, sliderScale } from "../src/wizard/values";

const ttl: ParameterFact = {
  name: "attest.ttl", key: "0x", group: "attest", kind: "SECONDS", unit: "s", risk_class: "R", activation: "now",
  value: "2700", voted_value: "2700", min: "120", max: "604800", step: "60", low: "1320", high: "4080",
  changed: null, allowed_at: null, pending_proposals: [],
};

const bad: [string, RegExp][] = [
  ["", /Enter a value/],
  ["1800s", /seconds without a unit/],
  ["30 min", /seconds without a unit/],
  ["1,800", /without commas/],
  ["1800.5", /seconds without a unit/],
  ["-60", /seconds without a unit/],
  ["１８００", /seconds without a unit/],
  ["60", /Out of bounds/],
  ["604860", /Out of bounds/],
  ["1801", /Off step.*1\u202f800.*1\u202f860/],
  ["2700", /already/],
  ["4140", /Too far/],
  ["9".repeat(100), /seconds without a unit/],
];

for (const [text, words] of bad) {
  test(`refused: ${JSON.stringify(text.slice(0, 20))}`, () => assert.throws(() => parameterValue(ttl, text), words));
}

test("spaces of any kind are fine", () => {
  for (const text of ["1800", " 1 800 ", "1\u202f800", "1\u00a0800"]) assert.equal(parameterValue(ttl, text), "1800");
});

test("token amounts are typed in whole tokens", () => {
  const stake: ParameterFact = { ...ttl, kind: "TOKEN_WEI", unit: "wei", voted_value: "1000000000000000000", min: "0", max: "10000000000000000000", step: "100000000000000000", low: null, high: null };
  assert.equal(parameterValue(stake, "1.5"), "1500000000000000000");
  assert.throws(() => parameterValue(stake, "1.55"), /Off step/);
});

test("Merkle roots", () => {
  const root: ParameterFact = { ...ttl, kind: "BYTES32", unit: "", voted_value: `0x${"00".repeat(32)}` };
  assert.equal(parameterValue(root, `0x${"AB".repeat(32)}`), `0x${"ab".repeat(32)}`);
  assert.throws(() => parameterValue(root, "0xab"), /64 hexadecimal/);
  assert.throws(() => parameterValue(root, `0x${"00".repeat(32)}`), /already/);
});

test("changes in percent", () => {
  assert.equal(changeWords("2700", "1800"), "−33\u00a0%");
  assert.equal(changeWords("1000", "1055"), "+5.5\u00a0%");
  assert.equal(changeWords("0", "5"), "");
  assert.equal(changeWords("0xab", "0xcd"), "");
});

test("a slider has every step, or a thousand of them, and its ends are the bounds", () => {
  const small = sliderScale(1320n, 4080n, 60n);
  assert.equal(small.positions, 46);
  assert.equal(small.at(0), 1320n);
  assert.equal(small.at(46), 4080n);
  assert.equal(small.of(2700n), 23);
  const large = sliderScale(0n, 10n ** 21n, 10n ** 17n);
  assert.equal(large.positions, 1000);
  assert.equal(large.at(1000), 10n ** 21n);
  assert.equal(large.at(500) % 10n ** 17n, 0n);
  assert.equal(sliderScale(5n, 5n, 1n).positions, 0);
});
