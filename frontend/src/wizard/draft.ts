// The draft lives on the server from the first word, signed in or not.
import { api, ApiError } from "../lib/api";
import type { Action, Draft } from "./types";

const URL_ = "/api/v1/drafts/";
const REST_MS = 1500;

export type DraftListener = (text: string, failed: boolean) => void;

export class DraftStore {
  draft: Draft = { id: "", version: 0, title: "", description: "", actions: [], step: 1 };
  private timer = 0;
  private saving: Promise<void> = Promise.resolve();
  private dirty = false;
  private over = false;

  constructor(private readonly tell: DraftListener) {
    // Leaving the page saves what the timer has not saved yet; no question is asked.
    window.addEventListener("pagehide", () => void this.saveNow(true));
  }

  async load(id: string): Promise<void> {
    this.draft = await api<Draft>("GET", `${URL_}${encodeURIComponent(id)}/`);
  }

  async list(): Promise<Draft[]> {
    const answer = await api<{ results?: Draft[] } | Draft[]>("GET", URL_);
    return Array.isArray(answer) ? answer : (answer.results ?? []);
  }

  async remove(id: string): Promise<void> {
    await api("DELETE", `${URL_}${encodeURIComponent(id)}/`);
    if (id === this.draft.id) this.draft = { ...this.draft, id: "", version: 0 };
  }

  change(part: Partial<Pick<Draft, "title" | "description" | "actions" | "step">>): void {
    this.draft = { ...this.draft, ...part };
    this.dirty = true;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save(), REST_MS);
  }

  get isEmpty(): boolean {
    const { title, description, actions } = this.draft;
    return !title && !description && !actions.length;
  }

  /** Saves what is unsaved, one request after the other. Says what went wrong; never throws. */
  save(): Promise<void> {
    window.clearTimeout(this.timer);
    this.saving = this.saving.then(() => this.saveNow());
    return this.saving;
  }

  private async saveNow(leaving = false): Promise<void> {
    if (!this.dirty || this.isEmpty) return;
    this.dirty = false;
    const { id, version, title, description, actions, step } = this.draft;
    const body = { title, description, actions: actions as Action[], step };
    try {
      const saved = id
        ? await api<Draft>("PUT", `${URL_}${id}/`, { ...body, version }, leaving)
        : await api<Draft>("POST", URL_, body, leaving);
      if (leaving || this.over) return;
      this.draft = { ...this.draft, id: saved.id, version: saved.version };
      this.address();
      const at = new Date().toTimeString().slice(0, 5);
      this.tell(`Draft saved at ${at}.`, false);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (leaving || this.over) return;
      this.dirty = true;
      this.tell(`The draft is not saved. ${error.message}`, true);
    }
  }

  /** A reload, or signing in, comes back to this draft. */
  address(): void {
    const url = new URL(location.href);
    url.searchParams.delete("parameter");
    url.searchParams.delete("action");
    url.searchParams.set("draft", this.draft.id);
    history.replaceState(null, "", url);
  }

  /** After submitting: the draft has become a proposal. */
  async submitted(): Promise<void> {
    window.clearTimeout(this.timer);
    this.over = true;
    this.dirty = false;
    await this.saving;
    const { id } = this.draft;
    if (!id) return;
    try {
      await this.remove(id);
    } catch (error) {
      // It stays in the list of drafts; the proposal is on the chain all the same.
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
