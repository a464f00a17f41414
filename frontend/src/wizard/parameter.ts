// Choosing a parameter and typing its new value, judged by the registry itself while one types.
import { api, ApiError } from "../lib/api";
import { h } from "../lib/dom";
import { button } from "../wallet/modal";
import { field, rested, sentence, textInput } from "./editor";
import type { Facts, ParameterFact } from "./types";
import { changeWords, inputText, inputUnit, parameterValue, sliderScale, valueWords } from "./values";

const CLASSES = { R: "Routine", S: "Sensitive", C: "Constitutional" } as const;
const ACTIVATION = {
  now: "takes effect at once",
  epoch: "takes effect at the first epoch boundary at least an hour ahead",
  new: "holds for agreements made afterwards",
} as const;

interface Verdict {
  ok: boolean;
  code?: string;
  detail?: string;
}

type Change = { name: string; value: string };

/** Asks the registry about a whole set, since keys of one set are judged together. */
async function validate(changes: Change[]): Promise<Verdict> {
  return api<Verdict>("POST", "/api/v1/parameters/validate", { changes });
}

function matches(parameter: ParameterFact, query: string): boolean {
  const text = `${parameter.name} ${parameter.unit} ${CLASSES[parameter.risk_class]}`.toLowerCase();
  return query.toLowerCase().split(/\s+/).every((part) => text.includes(part));
}

function changedWords({ changed }: ParameterFact): string {
  if (!changed) return "never changed";
  const at = new Date(changed.at * 1000).toISOString().slice(0, 10);
  return changed.proposal ? `last changed ${at} by #${changed.proposal}` : `last changed ${at}`;
}

export class ParameterEditor {
  readonly box = h("div", { class: "card stack", role: "group", "aria-label": "Change a parameter" });
  private readonly body = h("div", { class: "stack" });
  private readonly search = textInput();
  private readonly list = h("div", { class: "picker-list", role: "group", "aria-label": "Parameters" });

  constructor(
    private readonly facts: Facts,
    /** The other changes of the proposal's set. */
    private readonly others: Change[],
    private readonly add: (change: Change) => void,
    private readonly cancel: () => void,
  ) {
    const found = field("Search", this.search, "By name, unit or class: “attest”, “seconds”, “sensitive”.");
    this.search.type = "search";
    this.search.addEventListener("input", () => this.fill());
    this.box.append(h("h3", {}, "Change a parameter"), this.body);
    this.body.append(h("div", { class: "picker" }, found.box, this.list), h("div", { class: "row" }, button("Cancel", cancel)));
    this.fill();
  }

  focus(): void {
    this.search.focus();
  }

  private fill(): void {
    const found = this.facts.parameters.filter((parameter) => matches(parameter, this.search.value.trim()));
    this.list.replaceChildren(...found.map((parameter) => this.item(parameter)));
    if (!found.length) this.list.append(h("p", { class: "picker-item muted" }, this.facts.parameters.length ? "No parameter matches. Try a shorter word." : "The registry has not been read yet. Reload the page in a moment."));
  }

  private item(parameter: ParameterFact): HTMLElement {
    const { name, voted_value: value, risk_class: risk } = parameter;
    return h(
      "button",
      { type: "button", class: "picker-item", "data-parameter": name, onclick: () => this.open(parameter) },
      h("span", { class: "row-between" }, h("strong", { class: "mono" }, name), h("span", {}, valueWords(parameter, value))),
      h("span", { class: "small muted" }, `${CLASSES[risk]} · ${changedWords(parameter)}`),
    );
  }

  /** The editor of one parameter. */
  open(parameter: ParameterFact, value?: string): void {
    const shown = value ?? parameter.voted_value;
    const input = textInput(parameter.kind === "BYTES32" && !value ? "" : inputText(parameter, shown), parameter.kind === "BYTES32");
    if (parameter.kind !== "BYTES32") input.inputMode = parameter.kind === "TOKEN_WEI" ? "decimal" : "numeric";
    const entry = field(`New value of ${parameter.name}`, input, this.rules(parameter), inputUnit(parameter));
    const diff = h("p", { class: "diff", "data-diff": true });
    const says = h("p", { class: "small", role: "status" });
    const confirm = button(this.others.length ? "Add to the set" : "Add to the proposal", () => void this.confirm(parameter, input, entry.error), "primary");
    const slider = this.slider(parameter, input);
    let serial = 0;
    const judge = rested(async () => {
      const mine = ++serial;
      const verdict = await this.judge(parameter, input.value);
      if (mine !== serial || !verdict) return;
      entry.error(verdict.ok ? "" : verdict.detail ?? "The registry refuses this value.");
      says.textContent = verdict.ok ? "✓ The registry accepts this value now." : "";
    });
    const typed = () => {
      says.textContent = "";
      try {
        const next = parameterValue(parameter, input.value);
        entry.error("");
        const words = changeWords(parameter.voted_value, next);
        diff.replaceChildren(h("del", {}, valueWords(parameter, parameter.voted_value)), h("ins", {}, valueWords(parameter, next)), words ? h("span", { class: "muted" }, `(${words})`) : "");
        judge();
      } catch (error) {
        entry.error(sentence(error));
        diff.replaceChildren();
        serial++;
      }
    };
    input.addEventListener("input", () => {
      typed();
      slider?.dispatchEvent(new Event("follow"));
    });
    slider?.addEventListener("input", typed);
    this.body.replaceChildren(
      h("p", {}, h("strong", { class: "mono" }, parameter.name), ` is ${valueWords(parameter, parameter.voted_value)} now.`),
      ...this.warnings(parameter),
      entry.box,
      ...(slider ? [slider] : []),
      diff,
      says,
      h("div", { class: "row" }, button("Another parameter", () => this.back()), button("Cancel", this.cancel), confirm),
    );
    input.focus();
    input.select();
    if (value) typed();
  }

  private back(): void {
    this.body.replaceChildren(h("div", { class: "picker" }, field("Search", this.search).box, this.list), h("div", { class: "row" }, button("Cancel", this.cancel)));
    this.search.focus();
  }

  private rules(parameter: ParameterFact): string {
    if (parameter.kind === "BYTES32") return `${CLASSES[parameter.risk_class]}; it ${ACTIVATION[parameter.activation]}.`;
    const words = (value: string) => valueWords(parameter, value);
    const step = BigInt(parameter.step) > 1n ? ` in steps of ${words(parameter.step)}` : "";
    const reach = parameter.low !== null && parameter.high !== null ? ` One change may go to between ${words(parameter.low)} and ${words(parameter.high)}.` : "";
    return `Bounds ${words(parameter.min)} to ${words(parameter.max)}${step}.${reach} ${CLASSES[parameter.risk_class]}; it ${ACTIVATION[parameter.activation]}; ${changedWords(parameter)}.`;
  }

  private warnings(parameter: ParameterFact): HTMLElement[] {
    const found: string[] = [];
    const { pending_proposals: numbers, allowed_at: allowed } = parameter;
    if (numbers.length) found.push(`Open proposals that change it too: ${numbers.map((number) => `#${number}`).join(", ")}. If one of them is executed first, this one fails.`);
    if (allowed && allowed > this.facts.block_time) {
      found.push(`It was changed recently: the next change is possible from ${new Date(allowed * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC. An execution before then fails.`);
    }
    return found.map((text) => h("p", { class: "notice notice-warn" }, text));
  }

  private slider(parameter: ParameterFact, input: HTMLInputElement): HTMLInputElement | null {
    if (parameter.low === null || parameter.high === null) return null;
    const scale = sliderScale(BigInt(parameter.low), BigInt(parameter.high), BigInt(parameter.step));
    if (scale.positions < 2) return null;
    const slider = h("input", { type: "range", class: "range", min: 0, max: scale.positions, step: 1, "aria-label": `${parameter.name}, by slider` });
    const follow = () => {
      try {
        const value = BigInt(parameterValue(parameter, input.value));
        slider.value = String(scale.of(value));
        slider.setAttribute("aria-valuetext", valueWords(parameter, value.toString()));
      } catch {
        // What is typed is no value; the input says why, and the slider stays.
      }
    };
    slider.value = String(scale.of(BigInt(parameter.voted_value)));
    slider.setAttribute("aria-valuetext", valueWords(parameter, parameter.voted_value));
    slider.addEventListener("follow", follow);
    slider.addEventListener("input", () => {
      const value = scale.at(Number(slider.value)).toString();
      input.value = inputText(parameter, value);
      slider.setAttribute("aria-valuetext", valueWords(parameter, value));
    });
    return slider;
  }

  private async judge(parameter: ParameterFact, text: string): Promise<Verdict | null> {
    try {
      const change = { name: parameter.name, value: parameterValue(parameter, text) };
      return await validate([...this.others.filter(({ name }) => name !== parameter.name), change]);
    } catch (error) {
      if (error instanceof ApiError) return { ok: false, detail: `The registry could not be asked. ${error.message}` };
      return { ok: false, detail: sentence(error) };
    }
  }

  private async confirm(parameter: ParameterFact, input: HTMLInputElement, error: (text: string) => void): Promise<void> {
    const verdict = await this.judge(parameter, input.value);
    if (verdict && !verdict.ok) {
      error(verdict.detail ?? "The registry refuses this value.");
      input.focus();
      return;
    }
    this.add({ name: parameter.name, value: parameterValue(parameter, input.value) });
  }
}
