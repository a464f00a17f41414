// The five steps. Nothing needs a wallet before the last button.
import { api, ApiError, csrfToken } from "../lib/api";
import { all, h, one } from "../lib/dom";
import { message, writesOff } from "../lib/page";
import { PROPOSAL_NEXT, transactionOpen } from "../wallet/transaction";
import { ActionList } from "./actions";
import { DraftStore } from "./draft";
import { sentence } from "./editor";
import { blocked, findingsShow, reviewMake, reviewShow, type Review } from "./review";
import type { Draft, Facts } from "./types";

const STEPS = 5;
// A check older than this says little about the next block; it is made again before signing.
const CHECK_AGE_MS = 60_000;
const NEXT = ["", "Next: actions →", "Next: text →", "Next: check →", "Next: review →", ""];
const TEMPLATE = "## Summary\n\nWhat changes, in two sentences.\n\n## Rationale\n\nWhy, and why now.\n\n## Risks\n\nWhat could go wrong, and for whom.\n\n## Rollback\n\nHow to undo it, and who notices first.\n";

class Wizard {
  private step = 1;
  private actions!: ActionList;
  private review: Review | null = null;
  private checkedAt = 0;
  private moves = 0;
  private facts!: Facts;
  private readonly store: DraftStore;
  private readonly title = one<HTMLInputElement>("#proposal-title")!;
  private readonly text = one<HTMLTextAreaElement>("#proposal-text")!;
  private readonly problem = one("[data-step-error]")!;

  constructor(private readonly root: HTMLElement) {
    const status = one("[data-draft-status]", root)!;
    this.store = new DraftStore((words, failed) => {
      status.textContent = words;
      status.classList.toggle("against", failed);
    });
  }

  async start(): Promise<void> {
    const query = new URLSearchParams(location.search);
    try {
      this.facts = await api<Facts>("GET", this.root.dataset.facts ?? "");
      const draft = query.get("draft");
      if (draft) await this.open(draft);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.textContent = `The wizard could not start. ${error.message}`;
      return;
    }
    this.actions = new ActionList(this.facts, this.store.draft.actions, (actions) => this.change({ actions }));
    this.title.value = this.store.draft.title;
    this.text.value = this.store.draft.description;
    this.sizeShow();
    this.listen();
    await this.draftsShow();
    this.deepLink(query);
    this.root.dataset.ready = "true";
  }

  private async open(id: string): Promise<void> {
    try {
      await this.store.load(id);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      message("There is no such draft, or it belongs to another account.", "warn");
    }
  }

  private deepLink(query: URLSearchParams): void {
    const parameter = query.get("parameter");
    const action = query.get("action");
    if (parameter) {
      void this.go(2, true);
      if (this.facts.parameters.some(({ name }) => name === parameter)) this.actions.edit("parameter_set", -1, parameter);
      else this.problem.textContent = `There is no parameter ${parameter}. Choose one from the list.`;
    } else if (action === "transfer" || action === "custom_call" || action === "parameter_set") {
      void this.go(2, true);
      this.actions.edit(action, -1);
    } else if (this.store.draft.id) {
      void this.go(this.store.draft.step, true);
    }
  }

  private listen(): void {
    const click = (selector: string, run: (element: HTMLElement) => void) => {
      for (const element of all(selector, this.root)) element.addEventListener("click", () => run(element));
    };
    click("[data-next]", () => void this.go(this.step + 1));
    click("[data-back]", () => void this.go(this.step - 1));
    click("[data-go]", (element) => void this.go(Number(element.dataset.go)));
    click("[data-check-again]", () => void this.check());
    click("[data-submit]", () => void this.submit());
    click("[data-template]", () => this.template());
    click("[data-preview-text]", () => void this.preview());
    this.title.addEventListener("input", () => this.change({ title: this.title.value }));
    this.text.addEventListener("input", () => {
      this.change({ description: this.text.value });
      this.sizeShow();
    });
  }

  private change(part: Partial<Draft>): void {
    this.review = null;
    this.store.change(part);
  }

  private sizeShow(): void {
    const size = new TextEncoder().encode(this.text.value).length;
    one("#proposal-text-size")!.textContent = `${size} of ${this.facts.limits.description_bytes} bytes`;
  }

  /** Moves to a step, if what comes before it is complete. */
  private async go(wanted: number, quiet = false): Promise<void> {
    this.problem.textContent = "";
    const mine = ++this.moves;
    const target = Math.min(Math.max(wanted, 1), STEPS);
    for (let step = this.step; step < target; step++) {
      const stop = this.incomplete(step);
      if (!stop) continue;
      this.show(step, quiet);
      this.problem.textContent = stop;
      return;
    }
    const passed = target !== STEPS || (await this.check());
    // Whoever went elsewhere while the check ran stays there.
    if (mine !== this.moves) return;
    if (!passed) return this.show(4, quiet);
    this.show(target, quiet);
    if (target === 4) await this.check();
    if (target === STEPS) this.reviewPut();
    if (!this.store.isEmpty) this.store.change({ step: this.step });
    await this.store.save();
  }

  /** What a step still lacks, in a sentence; "" when it is complete. */
  private incomplete(step: number): string {
    const { title, description, actions } = this.store.draft;
    if (step === 2 && this.actions.isEditing) return "Finish or cancel the action you are editing first.";
    if (step === 2 && !actions.length) return "Add at least one action.";
    if (step !== 3) return "";
    const size = new TextEncoder().encode(description).length;
    const problems: [string, string][] = [
      ["proposal-title", title.trim() ? "" : "Give the proposal a title."],
      ["proposal-text", !description.trim() ? "Write what the proposal is for." : size > this.facts.limits.description_bytes ? `The text is ${size} bytes; at most ${this.facts.limits.description_bytes} fit.` : ""],
    ];
    for (const [id, text] of problems) {
      one(`#${id}-error`)!.textContent = text;
      one(`#${id}`)!.setAttribute("aria-invalid", String(Boolean(text)));
    }
    return problems.find(([, text]) => text)?.[1] ?? "";
  }

  private show(step: number, quiet: boolean): void {
    this.step = step;
    for (const section of all("[data-step]", this.root)) section.hidden = Number(section.dataset.step) !== step;
    for (const button of all("[data-go]", this.root)) {
      const at = Number(button.dataset.go);
      button.dataset.done = String(at < step);
      if (at === step) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    one("[data-back]", this.root)!.hidden = step === 1;
    const next = one("[data-next]", this.root)!;
    next.hidden = step === STEPS;
    next.textContent = NEXT[step] ?? "";
    one("[data-submit]", this.root)!.hidden = step !== STEPS || !this.review?.call;
    if (!quiet) one(`#step-${step}`)?.focus();
  }

  /** Runs the server's check and our own; true when the proposal may be signed. */
  private async check(): Promise<boolean> {
    const box = one("[data-check]", this.root)!;
    box.replaceChildren(h("div", { class: "skeleton", "aria-label": "Checking…", role: "status" }));
    try {
      this.facts = { ...this.facts, ...(await api<Facts>("GET", this.root.dataset.facts ?? "")) };
      this.review = await reviewMake(this.store.draft, this.facts);
    } catch (error) {
      this.review = null;
      const text = error instanceof ApiError ? error.message : sentence(error);
      box.replaceChildren(h("p", { class: "notice notice-error", "data-check-result": "error" }, text));
      return false;
    }
    this.checkedAt = Date.now();
    box.replaceChildren(...findingsShow(this.review));
    return !blocked(this.review);
  }

  private reviewPut(): void {
    if (!this.review) return;
    const eligible = one("[data-eligible=no]", this.root);
    const warning = eligible ? [h("p", { class: "notice notice-warn" }, eligible.textContent ?? "")] : [];
    one("[data-review]", this.root)!.replaceChildren(...warning, ...reviewShow(this.review, this.store.draft, this.facts));
    one("[data-submit]", this.root)!.hidden = !this.review.call;
  }

  private async submit(): Promise<void> {
    if (writesOff()) return message(writesOff(), "warn");
    if (Date.now() - this.checkedAt > CHECK_AGE_MS && !(await this.check())) return this.show(4, false);
    const call = this.review?.call;
    if (!call) return;
    transactionOpen(call, { next: PROPOSAL_NEXT, done: () => void this.store.submitted() });
  }

  private template(): void {
    if (this.text.value.includes("## Rationale")) return this.text.focus();
    this.text.value = this.text.value.trim() ? `${this.text.value.trimEnd()}\n\n${TEMPLATE}` : TEMPLATE;
    this.text.dispatchEvent(new Event("input"));
    this.text.focus();
  }

  /** The server's own rendering: what readers will see, cleaned as they will see it. */
  private async preview(): Promise<void> {
    const box = one("[data-text-preview]", this.root)!;
    box.hidden = false;
    const body = new FormData();
    body.set("text", this.text.value);
    try {
      const response = await fetch("/proposals/new/text/", { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } });
      if (!response.ok) throw new Error(String(response.status));
      box.innerHTML = await response.text();
    } catch {
      box.textContent = "The preview could not be made. Your text is not affected; try again in a minute.";
    }
    box.focus();
  }

  private async draftsShow(): Promise<void> {
    let drafts: Draft[];
    try {
      drafts = await this.store.list();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return; // The wizard works without the list.
    }
    const others = drafts.filter(({ id }) => id !== this.store.draft.id);
    one("[data-drafts]", this.root)!.hidden = !others.length;
    one("[data-draft-list]", this.root)!.replaceChildren(...others.map((draft) => this.draftRow(draft)));
  }

  private draftRow(draft: Draft): HTMLElement {
    const name = draft.title || "Draft without a title";
    const drop = h("button", { type: "button", class: "button", "aria-label": `Delete ${name}` }, "Delete");
    drop.addEventListener("click", async () => {
      try {
        await this.store.remove(draft.id);
        await this.draftsShow();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        message(error.message, "error");
      }
    });
    const when = draft.updated_at ? ` · ${draft.updated_at.slice(0, 16).replace("T", " ")} UTC` : "";
    return h("li", { class: "row-between" }, h("span", {}, h("a", { href: `?draft=${draft.id}` }, name), h("span", { class: "muted small" }, when)), drop);
  }
}

export function wizardStart(root: HTMLElement): void {
  void new Wizard(root).start();
}
