// The list of actions: add, edit, reorder, remove.
import { h, icon, one } from "../lib/dom";
import { customEditor } from "./custom";
import { actionBody, TITLES } from "./describe";
import { ParameterEditor } from "./parameter";
import { transferEditor } from "./transfer";
import type { Action, Facts } from "./types";

export class ActionList {
  private readonly list = one("[data-actions]")!;
  private readonly editor = one("[data-editor]")!;
  private readonly adders = one("[data-add]")!;
  private readonly none = one("[data-no-actions]")!;

  constructor(
    private readonly facts: Facts,
    private actions: Action[],
    private readonly changed: (actions: Action[]) => void,
  ) {
    this.adders.addEventListener("click", (event) => {
      const type = (event.target as Element).closest<HTMLElement>("[data-add-action]")?.dataset.addAction;
      if (type) this.edit(type as Action["type"], -1);
    });
    this.show();
  }

  get isEditing(): boolean {
    return this.editor.childElementCount > 0;
  }

  /** Opens the editor for a new action, or for the one at `index`. */
  edit(type: Action["type"], index: number, parameter = ""): void {
    const close = () => this.close(type);
    const save = (action: Action) => this.save(action, index, close);
    const before = this.actions[index];
    let box: HTMLElement;
    if (type === "parameter_set") box = this.parameterEditor(parameter, close);
    else if (type === "transfer") box = transferEditor(this.facts, before?.type === type ? before : null, save, close);
    else box = customEditor(this.facts, before?.type === type ? before : null, save, close);
    this.editor.replaceChildren(box);
    this.adders.hidden = true;
    this.none.hidden = true;
    if (!parameter) one("input, select", box)?.focus();
    box.scrollIntoView({ block: "nearest" });
  }

  /** All changes of parameters live in one set: a second set could not be validated with it. */
  private parameterEditor(name: string, close: () => void): HTMLElement {
    const at = this.actions.findIndex(({ type }) => type === "parameter_set");
    const set = this.actions[at];
    const changes = set?.type === "parameter_set" ? set.changes : [];
    const add = (change: { name: string; value: string }) => {
      const rest = changes.filter((entry) => entry.name !== change.name);
      this.save({ type: "parameter_set", changes: [...rest, change] }, at, close);
    };
    const editor = new ParameterEditor(this.facts, changes, add, close);
    const parameter = this.facts.parameters.find((entry) => entry.name === name);
    if (parameter) queueMicrotask(() => editor.open(parameter, changes.find((entry) => entry.name === name)?.value));
    return editor.box;
  }

  private close(type: Action["type"]): void {
    this.editor.replaceChildren();
    this.none.hidden = this.actions.length > 0;
    this.limit();
    one(`[data-add-action=${type}]`, this.adders)?.focus();
  }

  private save(action: Action, index: number, close: () => void): void {
    const next = [...this.actions];
    if (index < 0) next.push(action);
    else next[index] = action;
    this.update(next);
    close();
  }

  private update(actions: Action[]): void {
    this.actions = actions;
    this.changed(actions);
    this.show();
  }

  private limit(): void {
    this.adders.hidden = this.actions.length >= this.facts.limits.actions;
  }

  private show(): void {
    this.none.hidden = this.actions.length > 0;
    this.list.replaceChildren(...this.actions.map((action, index) => this.card(action, index)));
    this.limit();
  }

  private card(action: Action, index: number): HTMLElement {
    const title = `${index + 1}. ${TITLES[action.type]}`;
    const act = (name: string, label: string, run: () => void, off = false) =>
      h("button", { type: "button", class: "button button-icon", "aria-label": label, title: label, disabled: off, "data-act": name, onclick: run }, icon(name));
    return h(
      "li",
      { class: "action-card", "data-action-type": action.type },
      h(
        "div",
        { class: "action-head" },
        h("h3", {}, title),
        h(
          "div",
          { class: "row" },
          act("up", `Move action ${index + 1} up`, () => this.move(index, -1), index === 0),
          act("down", `Move action ${index + 1} down`, () => this.move(index, 1), index === this.actions.length - 1),
          act("trash", `Remove action ${index + 1}`, () => this.remove(index)),
        ),
      ),
      actionBody(action, this.facts),
      this.editors(action, index),
    );
  }

  private editors(action: Action, index: number): HTMLElement {
    const row = h("div", { class: "row" });
    if (action.type !== "parameter_set") {
      row.append(h("button", { type: "button", class: "button", onclick: () => this.edit(action.type, index) }, `Edit action ${index + 1}`));
      return row;
    }
    for (const { name } of action.changes) {
      row.append(
        h("button", { type: "button", class: "button", onclick: () => this.edit("parameter_set", index, name) }, `Edit ${name}`),
        h("button", { type: "button", class: "button", onclick: () => this.drop(index, name) }, `Remove ${name}`),
      );
    }
    return row;
  }

  private drop(index: number, name: string): void {
    const set = this.actions[index];
    if (set?.type !== "parameter_set") return;
    const changes = set.changes.filter((entry) => entry.name !== name);
    this.update(changes.length ? this.actions.with(index, { ...set, changes }) : this.actions.toSpliced(index, 1));
  }

  private remove(index: number): void {
    this.update(this.actions.toSpliced(index, 1));
    one("[data-add-action]", this.adders)?.focus();
  }

  private move(index: number, by: -1 | 1): void {
    const next = [...this.actions];
    const [moved] = next.splice(index, 1);
    if (moved) next.splice(index + by, 0, moved);
    this.update(next);
    one(`li:nth-child(${index + by + 1}) [data-act=${by < 0 ? "up" : "down"}]`, this.list)?.focus();
  }
}
