// Sign-In with Ethereum (EIP-4361). The server writes the message; we only carry it.
import { api, ApiError } from "../lib/api";
import { announce, fact, h } from "../lib/dom";
import { message } from "../lib/page";
import { accountsRequest, ask } from "./connection";
import { WalletError } from "./errors";
import { button, modalOpen } from "./modal";
import { walletPick } from "./picker";
import { tabsTell } from "./tabs";
import type { Wallet } from "./types";

function utf8Hex(text: string): string {
  return `0x${[...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Signs in with a wallet, then loads the page again as that account. */
export async function signIn(always = false): Promise<void> {
  let wallet: Wallet;
  try {
    wallet = await walletPick(always);
  } catch {
    return; // The list was closed; nothing to say.
  }
  const modal = modalOpen("Sign in");
  const say = h("p", { role: "status" });
  const domain = h("p", {}, "Only sign if your wallet shows ", h("strong", { class: "mono" }, fact("domain")), ".");
  const text = h("pre", { class: "message-text", tabindex: "0", "aria-label": "The message you sign", hidden: true });
  modal.body.append(domain, h("p", { class: "muted" }, "This does not cost gas and cannot move funds."), text, say);
  const run = async () => {
    modal.foot.replaceChildren(button("Cancel", modal.close));
    try {
      if (always) await accountsReopen(wallet);
      await steps(wallet, text, (sentence) => (say.textContent = sentence));
      modal.close();
    } catch (error) {
      if (!(error instanceof WalletError || error instanceof ApiError)) throw error;
      say.textContent = error.message;
      announce(error.message);
      const retry = button("Try again", () => void run(), "primary");
      const other = button("Another wallet", () => {
        modal.close();
        void signIn(true);
      });
      modal.foot.replaceChildren(other, retry);
      retry.focus();
    }
  };
  await run();
}

/** Lets the person choose another account, where the wallet can ask (EIP-2255). */
async function accountsReopen(wallet: Wallet): Promise<void> {
  try {
    await ask(wallet, "wallet_requestPermissions", [{ eth_accounts: {} }]);
  } catch (error) {
    // Few wallets can; the others go on with the account they offer.
    if (error instanceof WalletError && error.kind === "rejected") throw error;
  }
}

async function steps(wallet: Wallet, text: HTMLElement, say: (sentence: string) => void): Promise<void> {
  say(`Open ${wallet.info.name} and allow this site to see your account.`);
  const [address] = await accountsRequest(wallet);
  const { message } = await api<{ message: string }>("POST", "/auth/siwe/start", { address });
  text.textContent = message;
  text.hidden = false;
  say("Check your wallet and sign the message.");
  const signature = await ask<unknown>(wallet, "personal_sign", [utf8Hex(message), address]);
  if (typeof signature !== "string") throw new WalletError("unknown", "Your wallet returned no signature. Try again.");
  say("Checking the signature…");
  const { address: account } = await api<{ address: string }>("POST", "/auth/siwe", { signature });
  tabsTell({ type: "signed-in", account });
  say("Signed in.");
  location.reload();
}

/** Ends the session here and in every other tab. */
export async function signOut(): Promise<void> {
  try {
    await api("POST", "/auth/logout");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    message(`You are still signed in. ${error.message}`, "error");
    return;
  }
  tabsTell({ type: "signed-out" });
  location.reload();
}
