// EIP-6963: wallets announce themselves; nobody fights over window.ethereum.
import type { Eip1193Provider, Wallet } from "./types";

const CHOICE_KEY = "althing:wallet";
// Announcements are synchronous in practice; late ones still arrive through `changed`.
const WAIT_MS = 200;
const LEGACY_RDNS = "legacy.window.ethereum";

/** What a wallet says of itself, checked: it is shown on the page. Null when it is no wallet. */
export function walletFrom(detail: unknown): Wallet | null {
  const { info, provider } = (detail ?? {}) as Partial<Wallet>;
  if (!info || !provider || typeof provider.request !== "function") return null;
  const { uuid, name, icon, rdns } = info;
  if ([uuid, name, rdns].some((text) => typeof text !== "string" || !text)) return null;
  // Only as a data: image in <img>: an SVG put into the page could run scripts.
  const safe = typeof icon === "string" && /^data:image\//i.test(icon) ? icon : "";
  return { info: { uuid, name: name.slice(0, 64), icon: safe, rdns }, provider };
}

/** Every wallet announced so far, one per uuid. */
export class WalletList extends EventTarget {
  private readonly byUuid = new Map<string, Wallet>();

  /** Adds a wallet; a uuid seen before is ignored. */
  add(detail: unknown): boolean {
    const wallet = walletFrom(detail);
    if (!wallet || this.byUuid.has(wallet.info.uuid)) return false;
    this.byUuid.set(wallet.info.uuid, wallet);
    this.dispatchEvent(new Event("changed"));
    return true;
  }

  get wallets(): Wallet[] {
    return [...this.byUuid.values()];
  }

  byRdns(rdns: string): Wallet | undefined {
    return this.wallets.find(({ info }) => info.rdns === rdns);
  }
}

export const wallets = new WalletList();

/** Listens first, then asks: a wallet answers at once. */
export function discoveryStart(): void {
  window.addEventListener("eip6963:announceProvider", (event) => {
    wallets.add((event as CustomEvent<unknown>).detail);
  });
  window.dispatchEvent(new Event("eip6963:requestProvider"));
}

/** The wallets after a short wait, with window.ethereum where no wallet speaks EIP-6963. */
export async function walletsReady(): Promise<Wallet[]> {
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  if (wallets.wallets.length === 0) await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  const legacy = (window as { ethereum?: Eip1193Provider }).ethereum;
  if (wallets.wallets.length === 0 && legacy) {
    const info = { uuid: LEGACY_RDNS, name: "Browser wallet", icon: "", rdns: LEGACY_RDNS };
    wallets.add({ info, provider: legacy });
  }
  return wallets.wallets;
}

export function choiceRemember(rdns: string): void {
  try {
    localStorage.setItem(CHOICE_KEY, rdns);
  } catch {
    // Storage may be switched off; then the wallet is asked for again each time.
  }
}

export function choiceRemembered(): string {
  try {
    return localStorage.getItem(CHOICE_KEY) ?? "";
  } catch {
    return "";
  }
}

export function choiceForget(): void {
  try {
    localStorage.removeItem(CHOICE_KEY);
  } catch {
    // Nothing was kept.
  }
}
