// An action in words, for its card and the review.
import { h } from "../lib/dom";
import { amountText, group } from "../lib/format";
import { functionDecode } from "./encode";
import { share } from "./transfer";
import type { Action, Facts } from "./types";
import { changeWords, valueWords } from "./values";

export const TITLES = {
  parameter_set: "Change parameters",
  transfer: "Pay from the treasury",
  custom_call: "Call a contract",
} as const;

export function actionBody(action: Action, facts: Facts): HTMLElement {
  switch (action.type) {
    case "parameter_set":
      return h("ul", { class: "stack-tight plain" }, ...action.changes.map((change) => changeLine(change, facts)));
    case "transfer":
      return transferLine(action, facts);
    case "custom_call":
      return customLine(action, facts);
  }
}

function changeLine({ name, value }: { name: string; value: string }, facts: Facts): HTMLElement {
  const parameter = facts.parameters.find((entry) => entry.name === name);
  if (!parameter) return h("li", { class: "against" }, `There is no parameter ${name} any more. Remove it.`);
  const percent = changeWords(parameter.voted_value, value);
  return h(
    "li",
    {},
    h("strong", { class: "mono" }, name),
    " ",
    h("span", { class: "diff" }, h("del", {}, valueWords(parameter, parameter.voted_value)), h("ins", {}, valueWords(parameter, value)), percent ? h("span", { class: "muted" }, `(${percent})`) : null),
    h("span", { class: "small muted" }, ` bounds ${valueWords(parameter, parameter.min)} to ${valueWords(parameter, parameter.max)}`),
  );
}

function transferLine(action: Extract<Action, { type: "transfer" }>, facts: Facts): HTMLElement {
  const asset = facts.assets.find(({ code }) => code === action.asset);
  const amount = BigInt(action.amount_wei);
  const part = asset ? share(amount, BigInt(asset.balance_wei)) : "";
  return h(
    "p",
    {},
    `Send ${amountText(amount, asset?.decimals ?? 18, null)} ${action.asset} to `,
    h("span", { class: "mono break" }, action.recipient),
    part ? ` = ${part} of what the treasury has.` : ".",
  );
}

function customLine(action: Extract<Action, { type: "custom_call" }>, facts: Facts): HTMLElement {
  const contract = facts.contracts.find(({ address }) => address.toLowerCase() === action.target.toLowerCase());
  const decoded = functionDecode(contract, action.calldata);
  const value = action.value_wei === "0" ? "" : ` with ${group(action.value_wei)} wei`;
  if (!decoded || !contract) {
    return h(
      "div",
      { class: "stack-tight" },
      h("p", {}, "Raw call to ", h("span", { class: "mono break" }, action.target), value),
      h("pre", { class: "break message-text" }, action.calldata),
    );
  }
  const row = (name: string, text: string) => [h("dt", { class: "mono" }, name), h("dd", { class: "mono break" }, text)];
  const text = (entry: unknown) =>
    typeof entry === "string" ? entry : JSON.stringify(entry, (_key, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner));
  return h(
    "div",
    { class: "stack-tight" },
    h("p", {}, h("code", {}, `${contract.name}.${decoded.item.name}`), " at ", h("span", { class: "mono break" }, action.target), value),
    h("dl", { class: "facts small" }, ...decoded.item.inputs.flatMap((input, index) => row(input.name || input.type, text(decoded.args[index])))),
  );
}
