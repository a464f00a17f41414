import assert from "node:assert/strict";
import { test } from "node:test";
import { walletFrom, WalletList } from "../src/wallet/discovery";

const provider = { request: async () => null };
const info = { uuid: "1", name: "One", icon: "data:image/png;base64,AA", rdns: "org.one" };

test("a uuid is listed once, however often it is announced", () => {
  const list = new WalletList();
  let changes = 0;
  list.addEventListener("changed", () => changes++);
  assert.equal(list.add({ info, provider }), true);
  assert.equal(list.add({ info: { ...info, name: "Impostor" }, provider }), false);
  assert.equal(list.add({ info: { ...info, uuid: "2" }, provider }), true);
  assert.deepEqual(list.wallets.map((wallet) => wallet.info.name), ["One", "One"]);
  assert.equal(changes, 2);
});

test("the remembered wallet is found by rdns", () => {
  const list = new WalletList();
  list.add({ info, provider });
  assert.equal(list.byRdns("org.one")?.info.uuid, "1");
  assert.equal(list.byRdns("org.other"), undefined);
});

for (const [name, detail] of [
  ["nothing", undefined],
  ["no provider", { info }],
  ["a provider that takes no request", { info, provider: {} }],
  ["no uuid", { info: { ...info, uuid: "" }, provider }],
  ["a name that is no text", { info: { ...info, name: 7 }, provider }],
] as const) {
  test(`${name} is no wallet`, () => assert.equal(walletFrom(detail), null));
}

test("an icon that is not a data: image is dropped", () => {
  for (const icon of ["https://tracker.example/x.png", "javascript:alert(1)", "data:text/html,x", 7]) {
    assert.equal(walletFrom({ info: { ...info, icon }, provider })?.info.icon, "");
  }
  assert.equal(walletFrom({ info, provider })?.info.icon, info.icon);
});
