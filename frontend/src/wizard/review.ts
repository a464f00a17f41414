// What the server says of the proposal, held against what the browser computes itself.
import { api } from "../lib/api";
import { h } from "../lib/dom";
import { sessionAccount } from "../wallet/connection";
import { proposeCall, type Call } from "../wallet/calls";
import { actionBody, TITLES } from "./describe";
import { actionEncode, proposalId, type EncodedCall } from "./encode";
import type { Draft, Facts, Preview } from "./types";

export interface Review {
  preview: Preview;
  /** Why it must not be signed; empty when it may. */
  problems: string[];
  call: Call | null;
}

/** Asks the server for the proposal as it would go on chain, and recomputes all of it here. */
export async function reviewMake(draft: Draft, facts: Facts): Promise<Review> {
  const { title, description, actions } = draft;
  const proposer = sessionAccount();
  const preview = await api<Preview>("POST", "/api/v1/proposals/preview/", {
    title,
    description,
    actions,
    ...(proposer ? { proposer } : {}),
  });
  const problems: string[] = [];
  const calls: EncodedCall[] = actions.map((action) => actionEncode(action, facts));
  calls.forEach((call, index) => {
    const theirs = preview.actions[index];
    const same =
      theirs &&
      theirs.target.toLowerCase() === call.target.toLowerCase() &&
      BigInt(theirs.value_wei) === call.value &&
      theirs.calldata.toLowerCase() === call.calldata.toLowerCase();
    if (!same) problems.push(`Action ${index + 1}: this browser and the server build different call data. A value may just have changed; check again. If it stays, do not sign.`);
  });
  if (preview.actions.length !== calls.length) problems.push("The server speaks of another number of actions. Do not sign.");
  const id = proposalId(calls, preview.description);
  if (id !== BigInt(preview.proposal_id)) problems.push("The proposal's id computed in this browser differs from the server's. Do not sign.");
  if (!preview.description.includes(description.trim())) problems.push("The server's text is not yours. Do not sign.");
  const call =
    problems.length || !proposer
      ? null
      : proposeCall(
          {
            targets: calls.map(({ target }) => target),
            values: calls.map(({ value }) => value),
            calldatas: calls.map(({ calldata }) => calldata),
            description: preview.description,
          },
          id,
        );
  return { preview, problems, call };
}

const LEVELS = { error: "error", warning: "warning", info: "info" } as const;

export function blocked({ preview, problems }: Review): boolean {
  return problems.length > 0 || preview.findings.some(({ severity }) => severity === "error");
}

/** The check's findings, worst first; a green line when there are none. */
export function findingsShow(review: Review): HTMLElement[] {
  const { preview, problems } = review;
  const item = (level: string, text: string) => h("li", { "data-level": level }, h("span", {}, text));
  const rows = [
    ...problems.map((text) => item("error", text)),
    ...preview.findings.map(({ severity, sentence }) => item(LEVELS[severity], sentence)),
  ];
  const good = !problems.length && !preview.findings.some(({ severity }) => severity !== "info");
  if (!blocked(review)) rows.unshift(item("ok", `Every call would go through at block ${preview.block_number}.`));
  const words = blocked(review)
    ? "Something has to be put right before this can be submitted."
    : good
      ? "Nothing was found that speaks against it."
      : "It can be submitted. Read the warnings first.";
  return [
    h("p", { class: `notice${blocked(review) ? " notice-error" : good ? " notice-ok" : " notice-warn"}`, "data-check-result": blocked(review) ? "error" : good ? "ok" : "warning" }, words),
    h("ul", { class: "findings" }, ...rows),
    h("p", { class: "muted" }, preview.is_constitutional ? "This is a constitutional proposal: after the timelock it waits longer before anybody can execute it." : "This is a routine proposal."),
  ];
}

export function reviewShow(review: Review, draft: Draft, facts: Facts): HTMLElement[] {
  const { preview, problems } = review;
  const row = (name: string, ...value: (Node | string)[]) => [h("dt", {}, name), h("dd", { class: "mono break" }, ...value)];
  const actions = draft.actions.map((action, index) =>
    h(
      "li",
      { class: "action-card" },
      h("h3", {}, `${index + 1}. ${TITLES[action.type]}`),
      actionBody(action, facts),
      h("details", {}, h("summary", {}, "Exact call"), callFacts(preview.actions[index])),
    ),
  );
  return [
    ...problems.map((text) => h("p", { class: "notice notice-error" }, text)),
    h("h3", {}, draft.title),
    h("ol", { class: "stack plain" }, ...actions),
    h(
      "dl",
      { class: "facts" },
      ...row("Proposal id", h("span", { "data-proposal-id": true }, preview.proposal_id)),
      ...row("Computed here", problems.length ? "✕ differs" : "✓ the same"),
      ...row("Calls' hash", preview.calldata_hash),
    ),
    h("details", {}, h("summary", {}, "The exact text that goes on chain"), h("pre", { class: "break message-text" }, preview.description)),
  ];
}

function callFacts(action: Preview["actions"][number] | undefined): HTMLElement {
  const row = (name: string, value: string) => [h("dt", {}, name), h("dd", { class: "mono break" }, value)];
  if (!action) return h("p", {}, "The server did not describe this call.");
  return h("dl", { class: "facts small" }, ...row("target", action.target), ...row("value (wei)", action.value_wei), ...row("calldata", action.calldata));
}
