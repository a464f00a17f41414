// Several tabs, one session: what one of them does, the others must not contradict.
import { all, h, one } from "../lib/dom";
import { writesUpdate } from "../lib/page";
import { sameAddress, sessionAccount } from "./connection";

export type TabNews = { type: "signed-in"; account: string } | { type: "signed-out" };

const CHANNEL = "althing:session";
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);

export function tabsTell(news: TabNews): void {
  channel?.postMessage(news);
}

/** Whether something on this page would be lost by a reload. */
function busy(): boolean {
  if (one("dialog[open]") || one("[data-wizard]")) return true;
  return (
    all<HTMLTextAreaElement>("main textarea").some(({ value, defaultValue }) => value !== defaultValue) ||
    all<HTMLInputElement>("main input").some((input) => input.value !== input.defaultValue || input.checked !== input.defaultChecked)
  );
}

export function tabsSetup(): void {
  channel?.addEventListener("message", (event: MessageEvent<TabNews>) => {
    const account = event.data.type === "signed-in" ? event.data.account : "";
    if (sameAddress(account, sessionAccount())) return;
    // A reload loses what is being typed or signed; then the person decides.
    if (!busy()) return location.reload();
    const text = account
      ? `You signed in as ${account} in another tab. Reload this page to go on with it.`
      : "You signed out in another tab. Reload this page to go on.";
    const banner = one("#wallet-banner");
    if (banner) {
      const reload = h("button", { type: "button", class: "button", onclick: () => location.reload() }, "Reload");
      banner.replaceChildren(h("span", {}, text), reload);
      banner.dataset.why = "tabs";
      banner.hidden = false;
    }
    document.body.dataset.blockedTabs = text;
    writesUpdate();
  });
}
