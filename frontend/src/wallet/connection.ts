// The wallet this page talks to, and the account it offers.
import { fact, one, h } from "../lib/dom";
import { shortHex } from "../lib/format";
import { writesUpdate } from "../lib/page";
import { choiceRemember, choiceRemembered, wallets, walletsReady } from "./discovery";
import { WalletError, walletError } from "./errors";
import type { Wallet } from "./types";

/** Lower-case addresses compare; the page shows EIP-55. */
export function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The account this session signed in with, EIP-55, or "". */
export function sessionAccount(): string {
  return fact("account");
}

export function expectedChain(): number {
  return Number(fact("chainId"));
}

let current: Wallet | null = null;
let accounts: string[] = [];

export function walletCurrent(): Wallet | null {
  return current;
}

/** Calls the wallet; what it throws becomes a WalletError. */
export async function ask<T>(wallet: Wallet, method: string, params?: unknown): Promise<T> {
  try {
    return (await wallet.provider.request(params === undefined ? { method } : { method, params })) as T;
  } catch (thrown) {
    throw walletError(thrown);
  }
}

function accountsRead(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string" && /^0x[0-9a-fA-F]{40}$/.test(item)) : [];
}

/** Uses `wallet` from now on, and follows its accounts. Prompts nothing. */
function adopt(wallet: Wallet): void {
  if (current === wallet) return;
  current = wallet;
  wallet.provider.on?.("accountsChanged", (value: never) => {
    if (current !== wallet) return;
    accounts = accountsRead(value);
    mismatchShow();
  });
  wallet.provider.on?.("chainChanged", (value: never) => {
    if (current === wallet) chainShow(value);
  });
}

/** Asks the wallet for its accounts (a prompt where it has not allowed this site yet). */
export async function accountsRequest(wallet: Wallet): Promise<string[]> {
  adopt(wallet);
  accounts = accountsRead(await ask(wallet, "eth_requestAccounts"));
  if (!accounts.length) throw new WalletError("unauthorized", "Your wallet offered no account. Unlock it and try again.");
  choiceRemember(wallet.info.rdns);
  mismatchShow();
  return accounts;
}

/**
 * The account to send from: the signed-in one when there is one, else the wallet's first.
 * Throws `mismatch` when the wallet does not offer the signed-in account.
 */
export async function accountForSending(wallet: Wallet): Promise<string> {
  const offered = await accountsRequest(wallet);
  const session = sessionAccount();
  if (!session) return offered[0]!;
  // The first is the one the wallet would sign with, whatever else it lists.
  if (offered.some((account) => sameAddress(account, session)) && sameAddress(offered[0]!, session)) return session;
  throw new WalletError("mismatch", mismatchText(offered[0]!));
}

function mismatchText(account: string): string {
  return `Wallet ${shortHex(account)} is not the signed-in account ${shortHex(sessionAccount())}. Switch the account in your wallet, or sign in with this one.`;
}

/** Shows or hides the banner, and blocks sending while wallet and session differ. */
export function mismatchShow(): void {
  const banner = one("#wallet-banner");
  const session = sessionAccount();
  const first = accounts[0];
  const differs = Boolean(session && first && !sameAddress(first, session));
  if (differs && banner) {
    const address = h("span", { class: "mono break" }, first!);
    void import("./checksum").then(({ getAddress }) => (address.textContent = getAddress(first!)));
    banner.replaceChildren(
      h("span", {}, "Wallet ", address, " is not the signed-in account."),
      h("button", { type: "button", class: "button", "data-sign-in": true }, "Sign in with this account"),
    );
  }
  if (banner && (differs || banner.dataset.why === "mismatch")) {
    banner.hidden = !differs;
    banner.dataset.why = differs ? "mismatch" : "";
  }
  if (differs) document.body.dataset.blocked = mismatchText(first!);
  else delete document.body.dataset.blocked;
  writesUpdate();
}

export function chainShow(value: unknown): void {
  const chain = chainNumber(value);
  document.dispatchEvent(new CustomEvent("althing:chain", { detail: chain }));
}

/** Wallets answer "0x7a69", "31337" or 31337. NaN when none of them. */
export function chainNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : Number.NaN;
}

/** Reads the wallet's chain; throws `chain_wrong` with both names when it is not ours. */
export async function chainCheck(wallet: Wallet): Promise<void> {
  const chain = chainNumber(await ask(wallet, "eth_chainId"));
  if (chain === expectedChain()) return;
  const name = Number.isNaN(chain) ? "an unknown chain" : `chain ${chain}`;
  throw new WalletError("chain_wrong", `Your wallet is on ${name}; this DAO is on ${fact("chainName")} (chain ${expectedChain()}).`);
}

/** Asks the wallet to switch; where it does not know the chain, to add it if we may name a node. */
export async function chainSwitch(wallet: Wallet): Promise<void> {
  const chainId = `0x${expectedChain().toString(16)}`;
  try {
    await ask(wallet, "wallet_switchEthereumChain", [{ chainId }]);
  } catch (error) {
    const rpc = fact("rpcUrl");
    if (!(error instanceof WalletError) || error.kind !== "chain_unknown" || !rpc) throw error;
    await ask(wallet, "wallet_addEthereumChain", [
      {
        chainId,
        chainName: fact("chainName"),
        rpcUrls: [new URL(rpc, location.origin).href],
        nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      },
    ]);
  }
  await chainCheck(wallet);
}

/** On page load: finds the wallet used before and reads its accounts without a prompt. */
export async function resume(): Promise<void> {
  const rdns = choiceRemembered();
  if (!rdns) return;
  const look = async () => {
    const wallet = wallets.byRdns(rdns);
    if (!wallet || current) return;
    adopt(wallet);
    accounts = accountsRead(await ask<unknown>(wallet, "eth_accounts").catch(() => []));
    mismatchShow();
  };
  wallets.addEventListener("changed", () => void look());
  await walletsReady();
  await look();
}
