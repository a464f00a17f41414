// Buttons and forms that lead to a transaction.
import { h, one } from "../lib/dom";
import { message, writesOff } from "../lib/page";
import { delegateCall, REASON_MAX, stepCall, voteCall, type Call } from "./calls";
import { sameAddress } from "./connection";
import { button as dialogButton, modalOpen } from "./modal";
import { openTransaction } from "./pending";
import { transactionOpen, transactionShow } from "./transaction";

/** Runs what a `[data-tx]` button asks for. */
export function actionRun(button: HTMLElement): void {
  const { tx, proposalId = "", proposalNumber = "" } = button.dataset;
  if (tx === "queue" || tx === "execute" || tx === "cancel") transactionOpen(stepCall(tx, proposalId, proposalNumber));
  else if (tx === "delegate") delegateAsk(button);
  else if (tx === "call") transactionOpen(callFrom(button));
}

function callFrom({ dataset }: HTMLElement): Call {
  return {
    title: dataset.txTitle ?? "Send a transaction",
    contract: "",
    to: dataset.txTo ?? "",
    data: (dataset.txData ?? "0x") as Call["data"],
    valueWei: BigInt(dataset.txValue || "0"),
    functionName: dataset.txFunction ?? "",
    args: [],
    purpose: "other",
    proposalId: "",
  };
}

/** What a delegation means, before any wallet opens. */
function delegateAsk({ dataset }: HTMLElement): void {
  const { to = "", current = "", power = "" } = dataset;
  const modal = modalOpen("Delegate your voting power");
  const row = (name: string, value: string) => [h("dt", {}, name), h("dd", { class: "mono break" }, value)];
  const already = current && sameAddress(current, to);
  modal.body.append(
    h("dl", { class: "facts" }, ...row("From", current || "nobody yet"), ...row("To", to), ...(power ? row("Power", power) : [])),
    h("p", {}, already ? "This is your delegate already; nothing would change." : consequence(current)),
    h("p", { class: "muted" }, "It counts from the next snapshot on: votes that are open now keep the power they started with. Your tokens do not move, and you may change this at any time."),
  );
  const go = dialogButton("Delegate", () => {
    modal.close();
    transactionOpen(delegateCall(to));
  }, "primary");
  modal.foot.append(dialogButton("Cancel", modal.close), ...(already ? [] : [go]));
  if (!already) go.focus();
}

function consequence(current: string): string {
  return current
    ? "Your current delegate loses this voting power; a holder has one delegate at a time."
    : "Tokens that are delegated to nobody have no vote. Delegate to yourself to vote with them.";
}

export function voteSubmit(form: HTMLFormElement): void {
  const error = one("[data-error]", form);
  const say = (text: string) => {
    if (error) error.textContent = text;
  };
  const reason = one<HTMLTextAreaElement>("[name=reason]", form)?.value.trim() ?? "";
  const choice = one<HTMLInputElement>("[name=support]:checked", form);
  say("");
  if (writesOff()) return message(writesOff(), "warn");
  if (!choice) {
    say("Choose For, Against or Abstain first.");
    one("[name=support]", form)?.focus();
    return;
  }
  if (reason.length > REASON_MAX) return say(`The reason has ${reason.length} characters; at most ${REASON_MAX} are allowed.`);
  const { proposalId = "", proposalNumber = "" } = form.dataset;
  transactionOpen(voteCall(proposalId, proposalNumber, Number(choice.value), reason));
}

/** After a reload: the dialog that was open, on the transaction it was following. */
export function transactionResume(): void {
  const row = openTransaction();
  if (row) transactionShow(row);
}
