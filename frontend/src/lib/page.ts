// The page's own behaviour: everything that needs no wallet.
import { announce, all, on, one, h, icon } from "./dom";
import { durationText } from "./format";

const THEMES = ["auto", "light", "dark"] as const;
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;
const YEAR_S = 31_536_000;

/** Light, dark or as the system says. A cookie, so that the server draws the next page right. */
function themeSetup(): void {
  on("click", "[data-theme-toggle]", (button) => {
    const now = THEMES.indexOf((button.dataset.themeNow ?? "auto") as (typeof THEMES)[number]);
    const next = THEMES[(now + 1) % THEMES.length] ?? "auto";
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${next}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
    button.dataset.themeNow = next;
    button.setAttribute("aria-label", `Colours: ${next}. Change`);
    button.replaceChildren(icon(THEME_ICONS[next]));
    announce(`Colours: ${next}`);
  });
}

function copySetup(): void {
  on("click", "[data-copy]", async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy ?? "");
      button.replaceChildren(icon("check"));
      announce("Copied");
    } catch {
      announce("The browser did not allow copying. Select the text and copy it yourself.");
      button.replaceChildren(icon("cross"));
    }
    window.setTimeout(() => button.replaceChildren(icon("copy")), 1500);
  });
}

function relative(at: number): string {
  const gap = Math.round((at - Date.now()) / 1000);
  if (Math.abs(gap) < 5) return "now";
  const words = durationText(gap, Math.abs(gap) < 86_400 ? 2 : 1);
  return gap > 0 ? `in ${words}` : `${words} ago`;
}

function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function timesWrite(root: ParentNode = document): void {
  for (const element of all<HTMLTimeElement>("time[data-time]", root)) {
    const at = Date.parse(element.dateTime);
    if (Number.isNaN(at)) continue;
    element.title ||= `${new Date(at).toLocaleString()} (your time)`;
    const style = element.dataset.time;
    if (style === "absolute") continue;
    const text = style === "relative" ? relative(at) : `${relative(at)} · ${utc(at)}`;
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of all<HTMLTimeElement>("time[data-countdown]", root)) {
    const left = Math.ceil((Date.parse(element.dateTime) - Date.now()) / 1000);
    const text = left > 0 ? `in ${durationText(left)}` : "now";
    if (element.textContent === text) continue;
    element.textContent = text;
    // The state changes with the block after this moment; ask again shortly after.
    if (left <= 0 && !element.dataset.ended) window.setTimeout(refresh, 3000);
    if (left <= 0) element.dataset.ended = "true";
  }
}

/** Loads every [data-refresh] part again; false when the page has none. */
export function refresh(): boolean {
  const parts = all("[data-refresh]");
  for (const part of parts) part.dispatchEvent(new CustomEvent("althing:refresh"));
  return parts.length > 0;
}

/** Turns every sending button off while what the page shows is too old, with the reason. */
export function writesUpdate(): void {
  const reason = writesOff();
  for (const button of all("[data-write]")) {
    if (reason) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    button.title = reason;
  }
}

/** Why nothing may be sent now, or "". */
export function writesOff(): string {
  const { blockedTabs, blocked } = document.body.dataset;
  return blockedTabs || blocked || one("#freshness")?.dataset.reason || "";
}

function menusSetup(): void {
  document.addEventListener("click", (event) => {
    for (const menu of all<HTMLDetailsElement>("details[data-menu][open]")) {
      if (!(event.target instanceof Node && menu.contains(event.target))) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = one<HTMLDetailsElement>("details[data-menu][open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

function keysSetup(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    if (event.key === "/") {
      const search = one<HTMLInputElement>("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    } else if (event.key === "j" || event.key === "k") {
      const links = all<HTMLAnchorElement>("[data-keys] a[data-key], [data-keys] h3 a");
      const now = links.indexOf(document.activeElement as HTMLAnchorElement);
      links[event.key === "j" ? Math.min(now + 1, links.length - 1) : Math.max(now - 1, 0)]?.focus();
    }
  });
}

/** A message in the page's region, which screen readers speak. */
export function message(text: string, tone: "" | "error" | "warn" | "ok" = ""): void {
  const box = h("div", { class: `notice${tone ? ` notice-${tone}` : ""}` }, text);
  one("#messages")?.replaceChildren(box);
}

export function pageSetup(): void {
  themeSetup();
  copySetup();
  menusSetup();
  keysSetup();
  timesWrite();
  writesUpdate();
  window.setInterval(() => document.hidden || timesWrite(), 1000);
  on("click", "[data-write][aria-disabled='true']", (_button, event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    message(writesOff(), "warn");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    timesWrite(event.target instanceof Element ? event.target : document);
    writesUpdate();
  });
}
