// A payment out of the treasury.
import { h } from "../lib/dom";
import { amountText, parseAmount } from "../lib/format";
import { button } from "../wallet/modal";
import { field, select, sentence, textInput } from "./editor";
import { addressRead } from "./encode";
import type { Action, AssetFact, Facts } from "./types";

type Transfer = Extract<Action, { type: "transfer" }>;

export function share(amount: bigint, balance: bigint): string {
  if (!balance) return "";
  return `${Number((amount * 10_000n) / balance) / 100}\u00a0%`;
}

export function transferEditor(facts: Facts, before: Transfer | null, add: (action: Transfer) => void, cancel: () => void): HTMLElement {
  const asset = field("Asset", select(facts.assets.map(({ code, name }) => [code, `${code} (${name})`]), before?.asset));
  const known = (): AssetFact | undefined => facts.assets.find(({ code }) => code === asset.input.value);
  const spec = facts.assets.find(({ code }) => code === before?.asset);
  const typed = before ? amountText(BigInt(before.amount_wei), spec?.decimals ?? 18, null).replaceAll("\u202f", "") : "";
  const amount = field("Amount", textInput(typed), "In whole units with a decimal point: 1234.5");
  const recipient = field("Recipient", textInput(before?.recipient ?? "", true), "The whole address. Names are not looked up.");
  const impact = h("p", { class: "small", role: "status" });
  const read = (): Transfer => ({
    type: "transfer",
    asset: asset.input.value,
    recipient: recipientRead(),
    amount_wei: amountRead().toString(),
  });
  const amountRead = (): bigint => {
    const value = parseAmount(amount.input.value, known()?.decimals);
    if (value <= 0n) throw new Error("Enter an amount above zero.");
    return value;
  };
  const recipientRead = (): string => {
    const address = addressRead(recipient.input.value, "Recipient", false);
    const own = facts.contracts.find((contract) => contract.address.toLowerCase() === address.toLowerCase());
    if (own) throw new Error(`This is the DAO's own ${own.name}; paying it from the treasury is a mistake or needs a custom call.`);
    return address;
  };
  const show = () => {
    const chosen = known();
    if (!chosen) return;
    const balance = BigInt(chosen.balance_wei);
    const has = `The treasury has ${amountText(balance, chosen.decimals)} ${chosen.code}.`;
    try {
      const value = amountRead();
      amount.error(value > balance ? "This is more than the treasury has now; the execution would fail." : "");
      impact.textContent = `${has} This is ${share(value, balance) || "all it could ever have"} of it.`;
    } catch (error) {
      impact.textContent = has;
      if (amount.input.value) amount.error(sentence(error));
    }
  };
  for (const input of [asset.input, amount.input]) input.addEventListener("input", show);
  recipient.input.addEventListener("change", () => check(recipientRead, recipient.error));
  const confirm = button(before ? "Save" : "Add to the proposal", () => {
    const good = [check(amountRead, amount.error), check(recipientRead, recipient.error)];
    if (good.every(Boolean)) add(read());
    else (good[0] ? recipient : amount).input.focus();
  }, "primary");
  show();
  return h(
    "div",
    { class: "card stack", role: "group", "aria-label": "Pay from the treasury" },
    h("h3", {}, "Pay from the treasury"),
    asset.box,
    amount.box,
    impact,
    recipient.box,
    h("div", { class: "row" }, button("Cancel", cancel), confirm),
  );
}

/** Runs a reader and shows its error; true when there was none. */
export function check(read: () => unknown, error: (text: string) => void): boolean {
  try {
    read();
    error("");
    return true;
  } catch (thrown) {
    error(sentence(thrown));
    return false;
  }
}
