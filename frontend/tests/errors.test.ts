import assert from "node:assert/strict";
import { test } from "node:test";
import { walletError, WalletError } from "../src/wallet/errors";

const cases: [unknown, string, RegExp][] = [
  [{ code: 4001, message: "User rejected the request." }, "rejected", /You rejected the request\. Nothing was sent\./],
  [{ code: 4100, message: "" }, "unauthorized", /not allowed this site/],
  [{ code: 4902 }, "chain_unknown", /does not know this chain/],
  [{ code: -32002, message: "Request already pending" }, "pending", /a request is already waiting/],
  [{ code: -32603, message: "Internal JSON-RPC error." }, "internal", /internal error/],
  [{ code: "4001" }, "rejected", /rejected/],
  // Wallets wrap the node's words in codes of their own.
  [{ code: -32603, message: "Internal JSON-RPC error.", data: { originalError: { code: -32000, message: "insufficient funds for gas * price + value" } } }, "funds", /too little ETH/],
  [{ code: -32603, data: { originalError: { code: 4001 } }, message: "" }, "internal", /internal error/],
  [{ code: -32000, message: "nonce too low" }, "nonce", /queue/],
  [new Error("MetaMask Tx Signature: User denied transaction signature."), "rejected", /rejected/],
  [{ code: 12345, message: "odd" }, "unknown", /odd/],
  ["plain text", "unknown", /plain text/],
  [undefined, "unknown", /error/],
  [null, "unknown", /error/],
];

for (const [thrown, kind, words] of cases) {
  test(`a wallet's error is a sentence: ${JSON.stringify(thrown) ?? "undefined"}`, () => {
    const error = walletError(thrown);
    assert.equal(error.kind, kind);
    assert.match(error.message, words);
    assert.match(error.message, /\.$/);
  });
}

test("an error that is mapped already stays as it is", () => {
  const error = new WalletError("mismatch", "Other account.");
  assert.equal(walletError(error), error);
});

test("a wallet's text is cut, so that a hostile one cannot flood the page", () => {
  assert.ok(walletError({ message: "x".repeat(10_000) }).message.length < 400);
});
