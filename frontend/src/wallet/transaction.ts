// The transaction dialog: Check -> Sign in wallet -> Mined -> Indexed (-> Finalised).
// Used for every vote, delegation, proposal, queueing, execution and cancellation.
import { api, ApiError } from "../lib/api";
import { h } from "../lib/dom";
import { message, refresh } from "../lib/page";
import { accountForSending, ask, chainCheck, chainSwitch, expectedChain } from "./connection";
import { WalletError } from "./errors";
import { button, modalOpen, type Modal } from "./modal";
import { sentDuplicate, sentSave, sentUpdate, type Sent } from "./pending";
import { walletPick } from "./picker";
import { callIdentity, type Call } from "./calls";
import type { Wallet } from "./types";

const STEPS = ["Check", "Sign in wallet", "Mined", "Indexed"] as const;
type StepState = "waiting" | "now" | "done" | "failed";
// The wallet's estimate is exact for this second; a checkpoint in the next one costs more.
const GAS_HEADROOM = 1.5;
const POLL_MS = 1000;
const SLOW_AFTER_MS = 90_000;
const SLOW = "Taking longer than expected. Speed it up or cancel it in your wallet; do not send it again.";

interface Simulation {
  ok: boolean;
  gas?: number | string | null;
  code?: string;
  detail?: string;
}

interface Progress {
  state: "pending" | "mined" | "indexed" | "finalized" | "reverted" | "replaced" | "dropped";
  block_number: number | null;
  replaced_by: string | null;
  sentence: string;
}

/** Where to go once it is indexed: a button's words and an address. */
export interface Next {
  text: string;
  url(hash: string): string;
}

export interface Options {
  /** Runs once, when the transaction is indexed. */
  done?: (hash: string) => void;
  next?: Next;
}

/** A new proposal's number is the index's to give; its transaction leads to it. */
export const PROPOSAL_NEXT: Next = { text: "Open the proposal", url: (hash) => `/proposals/by-tx/${hash}/` };

class TransactionDialog {
  private readonly modal: Modal;
  private readonly steps = STEPS.map((name) => h("li", { "data-state": "waiting" }, h("span", {}, name)));
  private readonly say = h("p", { role: "status", "data-status": true });
  private readonly facts = h("div", { class: "stack" });
  private closed = false;
  private hash = "";
  private finished = false;
  private changed = false;
  private stage = 0;

  constructor(
    title: string,
    private readonly options: Options = {},
  ) {
    this.modal = modalOpen(title, () => this.onClose());
    this.modal.dialog.dataset.transaction = "true";
    this.modal.body.append(this.facts, h("ol", { class: "steps" }, ...this.steps), this.say);
  }

  private onClose(): void {
    this.closed = true;
    if (this.hash) sentUpdate(this.hash, { shown: false });
    if (!this.changed) return;
    const { next } = this.options;
    if (next) location.assign(next.url(this.hash));
    else if (!refresh()) location.reload();
  }

  private step(index: number, state: StepState): void {
    this.steps.forEach((item, at) => {
      item.dataset.state = at < index ? "done" : at === index ? state : "waiting";
      if (at === index && state === "now") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  /** Says it on the page; the region is a live one, so screen readers hear it too. */
  private tell(...parts: (string | Node)[]): void {
    this.say.replaceChildren(...parts);
  }

  private offer(...buttons: HTMLElement[]): void {
    this.modal.foot.replaceChildren(...buttons);
    buttons.at(-1)?.focus();
  }

  private fail(index: number, text: string, ...buttons: HTMLButtonElement[]): void {
    this.step(index, "failed");
    this.tell(text);
    this.offer(button("Close", this.modal.close), ...buttons);
  }

  private showCall(call: Call): void {
    const row = (name: string, value: string) => [h("dt", {}, name), h("dd", { class: "mono break" }, value)];
    const args = call.args.flatMap(([name, value]) => row(name, value));
    const value = call.valueWei ? row("value (wei)", call.valueWei.toString()) : [];
    this.facts.replaceChildren(
      h(
        "dl",
        { class: "facts small" },
        ...row("Function", call.functionName),
        ...row("Contract", `${call.contract} ${call.to}`),
        ...args,
        ...value,
      ),
      h("details", {}, h("summary", {}, "Raw call data"), h("pre", { class: "break message-text" }, call.data)),
    );
  }

  /** From the check to the wallet; then `watch` takes over. Never throws. */
  async send(call: Call, evenIfSent = false): Promise<void> {
    this.showCall(call);
    this.stage = 0;
    let wallet: Wallet | null = null;
    try {
      this.offer(button("Cancel", this.modal.close));
      this.step(0, "now");
      this.tell("Checking that this will work…");
      wallet = await walletPick();
      const from = await accountForSending(wallet);
      await chainCheck(wallet);
      const identity = callIdentity(call, from, expectedChain());
      const known = evenIfSent ? undefined : sentDuplicate(identity);
      if (known) return this.duplicate(known, call);
      const gas = await this.simulate(call, from);
      if (this.closed) return;
      const hash = await this.sign(call, wallet, from, gas);
      await this.sent({ hash, identity, call });
    } catch (error) {
      this.failed(error, call, wallet);
    }
  }

  /** The server runs the call at the newest block; a revert becomes a sentence. Returns the gas limit. */
  private async simulate(call: Call, from: string): Promise<bigint | null> {
    const { to, data } = call;
    const body = { from, to, data, value_wei: call.valueWei.toString() };
    const answer = await api<Simulation>("POST", "/api/v1/transactions/simulate/", body);
    if (!answer.ok) throw new ApiError(200, answer.code ?? "reverted", answer.detail ?? "The chain would refuse this.");
    return answer.gas ? BigInt(Math.ceil(Number(answer.gas) * GAS_HEADROOM)) : null;
  }

  private async sign(call: Call, wallet: Wallet, from: string, gas: bigint | null): Promise<string> {
    this.stage = 1;
    this.step(1, "now");
    const id = call.proposalId ? ` and proposal ${idShort(call.proposalId)}` : "";
    const name = h("code", {}, call.functionName);
    this.tell("Check your wallet. Compare function ", name, `${id} with this page.`);
    const transaction = {
      from,
      to: call.to,
      data: call.data,
      value: `0x${call.valueWei.toString(16)}`,
      ...(gas ? { gas: `0x${gas.toString(16)}` } : {}),
    };
    const hash = await ask<unknown>(wallet, "eth_sendTransaction", [transaction]);
    if (typeof hash !== "string" || !/^0x[0-9a-f]{64}$/i.test(hash)) {
      throw new WalletError("unknown", "Your wallet returned no transaction hash. Look in the wallet whether it was sent before you try again.");
    }
    return hash.toLowerCase();
  }

  private async sent({ hash, identity, call }: { hash: string; identity: string; call: Call }): Promise<void> {
    const { title, purpose, proposalId, functionName } = call;
    const row: Sent = { identity, hash, title, call: functionName, purpose, proposalId, sentAt: Date.now(), shown: !this.closed, done: false };
    sentSave(row);
    await this.watch(row);
  }

  /** Follows a transaction the server watches. Ends at Indexed (and stays for Finalised while open). */
  async watch(row: Sent): Promise<void> {
    this.hash = row.hash;
    this.stage = 2;
    this.step(2, "now");
    this.tell("Sent. Waiting for a block…");
    this.facts.append(h("p", { class: "small" }, "Transaction ", h("span", { class: "mono break" }, row.hash)));
    this.offer(button("Continue in background", this.modal.close));
    let posted = false;
    // Goes on when the dialog is closed: the page says when it is done.
    while (!this.finished) {
      try {
        posted ||= await this.post(row);
        this.show(row, await api<Progress>("GET", `/api/v1/transactions/${row.hash}/`));
      } catch (error) {
        // The transaction is on its way whatever our service does; ask again.
        if (!(error instanceof ApiError)) throw error;
        this.tell(`Sent. ${error.message} The transaction itself is not affected.`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private async post(row: Sent): Promise<boolean> {
    const { hash, purpose, proposalId } = row;
    await api("POST", "/api/v1/transactions/", { hash, purpose, ...(proposalId ? { proposal_id: proposalId } : {}) });
    return true;
  }

  private show(row: Sent, progress: Progress): void {
    const block = progress.block_number === null ? "" : ` in block ${progress.block_number}`;
    switch (progress.state) {
      case "pending":
        if (Date.now() - row.sentAt > SLOW_AFTER_MS) this.tell(SLOW);
        return;
      case "mined":
        this.step(3, "now");
        this.tell(`Mined${block}. Waiting until this site has read it…`);
        return;
      case "indexed":
        return this.indexed(row, `Done${block}. It becomes final in a moment.`);
      case "finalized":
        this.indexed(row, `Done${block}, and final.`);
        this.finished = true;
        return;
      case "reverted":
        return this.over(row, progress.sentence || "The chain refused the transaction. Nothing changed but the gas was spent.");
      case "replaced":
        return this.over(row, `Replaced in wallet by ${progress.replaced_by ?? "another transaction"}.`);
      case "dropped":
        return this.over(row, progress.sentence || "The chain no longer knows this transaction. Look in your wallet before you send it again.");
    }
  }

  private indexed(row: Sent, text: string): void {
    sentUpdate(row.hash, { done: true, shown: false });
    if (this.closed) return this.background(row, text);
    this.step(STEPS.length, "done");
    if (this.say.textContent !== text) this.tell(text);
    if (this.changed) return;
    this.changed = true;
    const { next } = this.options;
    const link = next && h("a", { class: "button button-primary", href: next.url(row.hash) }, next.text);
    this.offer(link ?? button("Close", this.modal.close, "primary"));
    const { hash, purpose, proposalId } = row;
    document.dispatchEvent(new CustomEvent("althing:indexed", { detail: { hash, purpose, proposalId } }));
    this.options.done?.(hash);
  }

  /** The dialog is closed: one line on the page, and the page's parts are read again. */
  private background(row: Sent, text: string): void {
    this.finished = true;
    if (this.changed) return;
    message(`${row.title}: ${text}`, "ok");
    refresh();
  }

  private over(row: Sent, text: string): void {
    sentUpdate(row.hash, { done: true, shown: false });
    this.finished = true;
    if (this.closed) return message(`${row.title}: ${text}`, "error");
    this.fail(2, text);
  }

  private duplicate(known: Sent, call: Call): void {
    this.step(0, "failed");
    this.tell(
      "You sent this very transaction already, and it is not finished. Your previous transaction may still succeed; " +
        "sending it again now could result in two transactions.",
    );
    const again = button("Send again all the same", () => void this.send(call, true), "danger");
    const watch = button("Show the one that is under way", () => void this.watch(known), "primary");
    this.offer(again, watch);
  }

  private failed(error: unknown, call: Call, wallet: Wallet | null): void {
    if (!(error instanceof WalletError || error instanceof ApiError)) throw error;
    if (this.closed) return;
    const retry = button("Try again", () => void this.send(call), "primary");
    if (error instanceof WalletError && error.kind === "chain_wrong" && wallet) {
      const name = document.body.dataset.chainName ?? "this chain";
      const change = button(`Switch to ${name}`, () => void this.change(call, wallet), "primary");
      return this.fail(0, error.message, change);
    }
    this.fail(this.stage, error.message, retry);
  }

  private async change(call: Call, wallet: Wallet): Promise<void> {
    try {
      await chainSwitch(wallet);
    } catch (error) {
      return this.failed(error, call, null);
    }
    await this.send(call);
  }
}

function idShort(decimal: string): string {
  const hex = BigInt(decimal).toString(16).padStart(64, "0");
  return `0x${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

/** Opens the dialog for a call. */
export function transactionOpen(call: Call, options: Options = {}): void {
  void new TransactionDialog(call.title, options).send(call);
}

/** Opens the dialog for a transaction sent before the page was loaded. */
export function transactionShow(row: Sent): void {
  const options = row.purpose === "propose" ? { next: PROPOSAL_NEXT } : {};
  void new TransactionDialog(row.title, options).watch(row);
}
