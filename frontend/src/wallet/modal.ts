// One native <dialog>: the browser traps the focus, Escape closes, the opener gets the focus back.
import { h } from "../lib/dom";

export interface Modal {
  dialog: HTMLDialogElement;
  body: HTMLElement;
  foot: HTMLElement;
  close(): void;
}

let counter = 0;

/** Opens a dialog. `closed` runs once, however it was closed. */
export function modalOpen(title: string, closed: () => void = () => {}): Modal {
  const id = `dialog-${++counter}`;
  const body = h("div", { class: "dialog-body" });
  const foot = h("div", { class: "dialog-foot" });
  const close = h("button", { type: "button", class: "button button-quiet button-icon", "aria-label": "Close" }, "✕");
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": id },
    h("div", { class: "dialog-head" }, h("h2", { id }, title), close),
    body,
    foot,
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body, foot, close: () => dialog.close() };
}

export function button(text: string, click: () => void, kind = ""): HTMLButtonElement {
  return h("button", { type: "button", class: `button${kind ? ` button-${kind}` : ""}`, onclick: click }, text);
}
