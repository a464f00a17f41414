import assert from "node:assert/strict";
import { test } from "node:test";
import { amountText, durationText, parseAmount, quantityText, shortHex } from "../src/lib/format";

const ALT = 10n ** 18n;

test("amounts are cut, never rounded, and grouped", () => {
  assert.equal(amountText(1_234_567n * ALT), "1\u202f234\u202f567");
  assert.equal(amountText(ALT / 3n), "0.3333");
  assert.equal(amountText(199_999n * 10n ** 13n), "1.9999");
  assert.equal(amountText(1n, 18, null), "0.000000000000000001");
  assert.equal(amountText(-5n * ALT), "-5");
  assert.equal(amountText(7n, 0), "7");
});

test("typed amounts", () => {
  assert.equal(parseAmount("1 234.5"), 12345n * 10n ** 17n);
  assert.equal(parseAmount(" 0.000000000000000001 "), 1n);
  assert.equal(parseAmount("1\u202f000"), 1000n * ALT);
  assert.throws(() => parseAmount("1,5"), /point/);
  assert.throws(() => parseAmount("1e5"), /number such as/);
  assert.throws(() => parseAmount("-1"), /number such as/);
  assert.throws(() => parseAmount("٣"), /number such as/);
  assert.throws(() => parseAmount(""), /Enter an amount/);
  assert.throws(() => parseAmount("0.1234567", 6), /At most 6 digits/);
});

test("durations name the two largest units in use", () => {
  assert.equal(durationText(183_600), "2\u00a0d 3\u00a0h");
  assert.equal(durationText(2700), "45\u00a0min");
  assert.equal(durationText(0), "0\u00a0s");
  assert.equal(durationText(86_401), "1\u00a0d");
});

test("quantities in their unit's words", () => {
  assert.equal(quantityText(2700n, "s"), "2\u202f700\u00a0s (45\u00a0min)");
  assert.equal(quantityText(2500n, "bps"), "25\u00a0% (2\u202f500\u00a0bps)");
  assert.equal(quantityText(5n * ALT, "wei"), "5\u00a0ALT");
  assert.equal(quantityText(5n * ALT, "wei per GPU"), "5\u00a0ALT per GPU");
  assert.equal(quantityText(3600n, "s of rent"), "3\u202f600\u00a0s (1\u00a0h) of rent");
  assert.equal(quantityText(1000n, "count"), "1\u202f000");
});

test("hashes are shortened in the middle", () => {
  assert.equal(shortHex(`0x${"ab".repeat(20)}`), "0xabab…abab");
  assert.equal(shortHex("0x1234"), "0x1234");
});
