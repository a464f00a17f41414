// Any call: a function of one of our contracts with typed arguments, or raw bytes to anywhere.
import { h } from "../lib/dom";
import { button } from "../wallet/modal";
import { field, select, sentence, textInput, type Field } from "./editor";
import { addressRead, functionDecode, functionEncode, signature } from "./encode";
import { check } from "./transfer";
import type { Action, ContractFact, Facts, FunctionFact } from "./types";

type Custom = Extract<Action, { type: "custom_call" }>;
const RAW = "raw";

function weiRead(text: string): bigint {
  const digits = text.replace(/[\s\u202f\u00a0_]/g, "") || "0";
  if (!/^\d{1,78}$/.test(digits)) throw new Error("Enter a whole number of wei, or leave it at 0.");
  return BigInt(digits);
}

function argumentText(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner)).replace(/^"|"$/g, "");
}

export function customEditor(facts: Facts, before: Custom | null, add: (action: Custom) => void, cancel: () => void): HTMLElement {
  const known = facts.contracts.find(({ address }) => address.toLowerCase() === before?.target.toLowerCase());
  const decoded = before ? functionDecode(known, before.calldata) : null;
  const contract = field(
    "Contract",
    select([...facts.contracts.map(({ name, address }): [string, string] => [address, `${name} ${address}`]), [RAW, "Another address (raw call data)"]], before ? (decoded ? known?.address : RAW) : facts.contracts[0]?.address),
  );
  const rest = h("div", { class: "stack" });
  const value = field("Value (wei)", textInput(before?.value_wei ?? "0"), "ETH that the treasury sends with the call. Usually 0.");
  let read: () => Pick<Custom, "target" | "calldata"> = () => ({ target: "", calldata: "0x" });

  const raw = () => {
    const target = field("Target", textInput(before?.target ?? "", true), "The whole address.");
    const data = field("Call data", h("textarea", { class: "textarea input-mono", rows: 4, spellcheck: "false" }, before?.calldata ?? "0x"), "0x and hexadecimal digits, or 0x alone for none.");
    rest.replaceChildren(
      h("p", { class: "notice notice-error" }, "Raw call data cannot be explained to the people who vote. Whoever checks it needs the contract's source and has to trust you."),
      target.box,
      data.box,
    );
    read = () => ({ target: reading(target, () => addressRead(target.input.value, "Target", false)), calldata: reading(data, () => bytesRead(data.input.value)) });
  };

  const typed = (chosen: ContractFact) => {
    const first = decoded && chosen === known ? signature(decoded.item) : undefined;
    const pick = field("Function", select(chosen.functions.map((item): [string, string] => [signature(item), signature(item)]), first));
    const box = h("div", { class: "stack" });
    const fill = () => {
      const item = chosen.functions.find((entry) => signature(entry) === pick.input.value);
      if (!item) return;
      const same = decoded && signature(decoded.item) === signature(item);
      const fields = item.inputs.map((input, index) => argumentField(input, same ? argumentText(decoded.args[index]) : ""));
      box.replaceChildren(...fields.map((entry) => entry.box));
      read = () => ({ target: chosen.address, calldata: encodeFields(item, fields) });
    };
    pick.input.addEventListener("change", fill);
    rest.replaceChildren(pick.box, box);
    fill();
  };

  const show = () => {
    const chosen = facts.contracts.find(({ address }) => address === contract.input.value);
    if (chosen) typed(chosen);
    else raw();
  };
  contract.input.addEventListener("change", show);
  show();

  const problem = h("p", { class: "error-text", role: "alert" });
  const confirm = button(before ? "Save" : "Add to the proposal", () => {
    problem.textContent = "";
    if (!check(() => weiRead(value.input.value), value.error)) return value.input.focus();
    try {
      add({ type: "custom_call", value_wei: weiRead(value.input.value).toString(), ...read() });
    } catch (error) {
      problem.textContent = sentence(error);
      rest.querySelector<HTMLElement>("[aria-invalid]")?.focus();
    }
  }, "primary");
  return h(
    "div",
    { class: "card stack", role: "group", "aria-label": "Call a contract" },
    h("h3", {}, "Call a contract"),
    contract.box,
    rest,
    value.box,
    problem,
    h("div", { class: "row" }, button("Cancel", cancel), confirm),
  );
}

function argumentField(input: { name?: string; type: string }, text: string): Field {
  const label = input.name ? `${input.name} (${input.type})` : input.type;
  if (input.type === "bool") return field(label, select([["true", "true"], ["false", "false"]], text));
  const help = /\[|tuple/.test(input.type) ? "JSON, with every number in quotes." : "";
  return field(label, textInput(text, true), help);
}

/** Encodes, and puts an argument's error at the argument. */
function encodeFields(item: FunctionFact, fields: Field[]): string {
  for (const entry of fields) entry.error("");
  try {
    return functionEncode(item, fields.map(({ input }) => input.value));
  } catch (error) {
    const text = sentence(error);
    const at = item.inputs.findIndex((input) => text.startsWith(`${input.name || input.type}:`));
    fields[at]?.error(text);
    throw new Error(text);
  }
}

function reading<T>(entry: Field, read: () => T): T {
  try {
    entry.error("");
    return read();
  } catch (error) {
    entry.error(sentence(error));
    throw error;
  }
}

function bytesRead(text: string): string {
  const clean = text.replace(/\s/g, "");
  if (!/^0x([0-9a-fA-F]{2})*$/.test(clean)) throw new Error("Enter 0x and an even number of hexadecimal digits.");
  if (clean.length > 2 && clean.length < 10) throw new Error("Call data starts with a selector of 8 digits after 0x.");
  return clean.toLowerCase();
}
