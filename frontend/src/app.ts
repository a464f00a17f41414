// Every page: htmx, the page's own behaviour, and the doors to what is loaded lazily.
import htmx from "htmx.org";
import { csrfToken } from "./lib/api";
import { all, on, one } from "./lib/dom";
import { message, pageSetup } from "./lib/page";
import { discoveryStart } from "./wallet/discovery";
import { resume } from "./wallet/connection";
import { signIn, signOut } from "./wallet/siwe";
import { openTransaction } from "./wallet/pending";
import { tabsSetup } from "./wallet/tabs";

// Set here too: the meta tag may be missing on a page that is no page of ours.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
document.addEventListener("htmx:configRequest", (event) => {
  (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] = csrfToken();
});

pageSetup();
discoveryStart();
tabsSetup();

/** Says so when a chunk does not load, instead of a button that does nothing. */
async function lazily<T>(load: Promise<T>, use: (module: T) => unknown): Promise<void> {
  let module: T;
  try {
    module = await load;
  } catch {
    message("A part of this page did not load. Reload the page and try again.", "error");
    return;
  }
  await use(module);
}

on("click", "[data-sign-in]", () => void signIn());
on("click", "[data-switch-wallet]", () => void signIn(true));
on("click", "[data-sign-out]", () => void signOut());
on("click", "[data-tx]", (button, event) => {
  event.preventDefault();
  void lazily(import("./wallet/actions"), (module) => module.actionRun(button));
});
on<HTMLFormElement>("submit", "form[data-vote]", (form, event) => {
  event.preventDefault();
  void lazily(import("./wallet/actions"), (module) => module.voteSubmit(form));
});
on<HTMLInputElement>("change", "form[data-vote] [name=support]", (input) => {
  const label = one("[data-label]", input.form ?? document);
  const word = { "0": "Against", "1": "For", "2": "Abstain" }[input.value];
  if (label && word) label.textContent = `Vote ${word} with ${input.form?.dataset.power ?? ""}`;
});

const wizard = one("[data-wizard]");
if (wizard) void lazily(import("./wizard/wizard"), (module) => module.wizardStart(wizard));
for (const chart of all("[data-chart]")) void lazily(import("./lib/chart"), (module) => module.chartDraw(chart));
if (openTransaction()) void lazily(import("./wallet/actions"), (module) => module.transactionResume());
void resume();
