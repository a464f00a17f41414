// Small parts that the three editors share.
import { h } from "../lib/dom";

export interface Field {
  box: HTMLElement;
  input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  error(text: string): void;
}

let counter = 0;

/** A labelled input with help and an error line that screen readers speak. */
export function field(
  label: string,
  input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
  help = "",
  unit = "",
): Field {
  const id = `wizard-field-${++counter}`;
  input.id = id;
  const problem = h("span", { class: "error", id: `${id}-error`, role: "alert" });
  input.setAttribute("aria-describedby", `${help ? `${id}-help ` : ""}${id}-error`);
  const box = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    help ? h("span", { class: "help", id: `${id}-help` }, help) : null,
    h("span", { class: "input-row" }, input, unit ? h("span", { class: "input-unit" }, unit) : null),
    problem,
  );
  return {
    box,
    input,
    error(text) {
      if (problem.textContent !== text) problem.textContent = text;
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

export function textInput(value = "", mono = false): HTMLInputElement {
  return h("input", { class: `input${mono ? " input-mono" : ""}`, value, autocomplete: "off", spellcheck: "false" });
}

export function select(options: [value: string, text: string][], chosen = ""): HTMLSelectElement {
  return h(
    "select",
    { class: "select" },
    ...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
}

export function sentence(error: unknown): string {
  if (error instanceof Error) return error.message.split("\n")[0] ?? "This cannot be read.";
  throw error;
}

/** Runs `task` once input has rested for `wait` ms. */
export function rested(task: () => void, wait = 300): () => void {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(task, wait);
  };
}
