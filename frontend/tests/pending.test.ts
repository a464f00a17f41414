import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { openTransaction, sentDuplicate, sentSave, sentUpdate, type Sent } from "../src/wallet/pending";

let stored: Record<string, string> = {};
beforeEach(() => {
  stored = {};
  const localStorage = { getItem: (key: string) => stored[key] ?? null, setItem: (key: string, value: string) => (stored[key] = value) };
  Object.assign(globalThis, { localStorage });
});

const row: Sent = { identity: "a", hash: "0x1", title: "Vote", call: "castVote", purpose: "vote", proposalId: "1", sentAt: Date.now(), shown: true, done: false };

test("an unfinished sending is a duplicate until it is done", () => {
  sentSave(row);
  assert.equal(sentDuplicate("a")?.hash, "0x1");
  assert.equal(sentDuplicate("b"), undefined);
  sentUpdate("0x1", { done: true });
  assert.equal(sentDuplicate("a"), undefined);
});

test("a reload finds the newest dialog that was open", () => {
  sentSave(row);
  sentSave({ ...row, hash: "0x2", identity: "b" });
  assert.equal(openTransaction()?.hash, "0x2");
  sentUpdate("0x2", { shown: false });
  assert.equal(openTransaction()?.hash, "0x1");
});

test("a day later nothing is resumed", () => {
  sentSave({ ...row, sentAt: Date.now() - 90_000_000 });
  assert.equal(openTransaction(), undefined);
});

test("what others wrote into the storage breaks nothing", () => {
  for (const text of ["{", "7", "null", '{"a":1}']) {
    stored["althing:transactions"] = text;
    assert.equal(openTransaction(), undefined);
  }
});
