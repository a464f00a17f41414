// Demo wallet - local chain only. An EIP-6963 wallet whose keys everybody knows: those of the
// published test mnemonic. The page loads this bundle in demo mode and never otherwise.
import { mnemonicToAccount, type HDAccount } from "viem/accounts";
import type { Hex } from "viem";
import { h } from "./lib/dom";
import { button, modalOpen } from "./wallet/modal";
import type { Eip1193Provider } from "./wallet/types";

const MNEMONIC = "test test test test test test test test test test test junk";
const ACCOUNTS = 20;
const NAME = "Demo wallet - local chain only";
const CHOSEN = "althing:demo-account";
const RPC = "/demo/rpc";
const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#7a4b00"/><path d="M6 8h12v9H6zM6 8l8-3v3" fill="none" stroke="#fff" stroke-width="1.6"/></svg>',
  );

type Listener = (value: never) => void;

class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
  }
}

const account = (index: number): HDAccount => mnemonicToAccount(MNEMONIC, { addressIndex: index });

async function rpc<T>(method: string, params: unknown[] = []): Promise<T> {
  const response = await fetch(RPC, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const answer = (await response.json().catch(() => null)) as {
    result?: T;
    error?: { code: number; message: string; data?: unknown };
  } | null;
  if (answer?.error) throw new RpcError(answer.error.code, answer.error.message, answer.error.data);
  if (!answer || !response.ok) throw new RpcError(-32603, `The local chain did not answer (HTTP ${response.status}).`);
  return answer.result as T;
}

/** Asks in a dialog of its own, as an extension would. Rejects with 4001 when closed. */
function confirm(title: string, rows: [string, string][], yes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let agreed = false;
    const modal = modalOpen(`${NAME}: ${title}`, () => {
      if (agreed) resolve();
      else reject(new RpcError(4001, "The user rejected the request."));
    });
    modal.dialog.dataset.demoWallet = "true";
    modal.body.append(
      h("p", { class: "notice notice-warn" }, "These keys are public. Never send anything of value to them."),
      h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "mono break message-text" }, value)])),
    );
    const go = button(yes, () => {
      agreed = true;
      modal.close();
    }, "primary");
    modal.foot.append(button("Reject", modal.close), go);
    go.focus();
  });
}

function choose(): Promise<number> {
  return new Promise((resolve, reject) => {
    let chosen = -1;
    const modal = modalOpen(`${NAME}: choose an account`, () => {
      if (chosen >= 0) resolve(chosen);
      else reject(new RpcError(4001, "The user rejected the request."));
    });
    modal.dialog.dataset.demoWallet = "true";
    const list = h("div", { class: "wallet-list" });
    for (let index = 0; index < ACCOUNTS; index++) {
      const { address } = account(index);
      const entry = h("button", { type: "button", class: "button", "data-demo-account": address }, `Account ${index}`, h("span", { class: "mono small break" }, address));
      entry.addEventListener("click", () => {
        chosen = index;
        modal.close();
      });
      list.append(entry);
    }
    modal.body.append(list);
    modal.foot.remove();
  });
}

interface Transaction {
  from?: string;
  to?: Hex;
  data?: Hex;
  value?: Hex;
  gas?: Hex;
}

class DemoProvider implements Eip1193Provider {
  private readonly listeners = new Map<string, Set<Listener>>();

  on(event: string, listener: Listener): this {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
    return this;
  }

  removeListener(event: string, listener: Listener): this {
    this.listeners.get(event)?.delete(listener);
    return this;
  }

  private emit(event: string, value: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) (listener as (value: unknown) => void)(value);
  }

  private get index(): number {
    return Number(sessionStorage.getItem(CHOSEN) ?? localStorage.getItem(CHOSEN) ?? "-1");
  }

  private async connect(): Promise<string[]> {
    if (this.index < 0) await this.switchAccount();
    return this.accounts();
  }

  private accounts(): string[] {
    return this.index < 0 ? [] : [account(this.index).address];
  }

  async switchAccount(): Promise<void> {
    const index = await choose();
    localStorage.setItem(CHOSEN, String(index));
    this.emit("accountsChanged", this.accounts());
  }

  private signer(address: string | undefined): HDAccount {
    const signer = this.index < 0 ? null : account(this.index);
    if (signer && (!address || signer.address.toLowerCase() === address.toLowerCase())) return signer;
    throw new RpcError(4100, "This account is not connected.");
  }

  private async sign(params: string[]): Promise<string> {
    const [raw = "", address] = params;
    const signer = this.signer(address);
    const bytes = Uint8Array.from((raw.slice(2).match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
    await confirm("sign a message", [["Account", signer.address], ["Message", new TextDecoder().decode(bytes)]], "Sign");
    return signer.signMessage({ message: { raw: raw as Hex } });
  }

  private async send([transaction]: [Transaction]): Promise<string> {
    const { from, to, data = "0x", value = "0x0" } = transaction;
    const signer = this.signer(from);
    await confirm("send a transaction", [["From", signer.address], ["To", to ?? ""], ["Value (wei)", BigInt(value).toString()], ["Data", data]], "Send");
    const [chainId, nonce, price, gas] = await Promise.all([
      rpc<Hex>("eth_chainId"),
      rpc<Hex>("eth_getTransactionCount", [signer.address, "pending"]),
      rpc<Hex>("eth_gasPrice"),
      transaction.gas ?? rpc<Hex>("eth_estimateGas", [{ from: signer.address, to, data, value }]),
    ]);
    const raw = await signer.signTransaction({
      type: "eip1559",
      chainId: Number(chainId),
      nonce: Number(nonce),
      maxFeePerGas: BigInt(price) * 2n,
      maxPriorityFeePerGas: 1_000_000_000n < BigInt(price) ? 1_000_000_000n : BigInt(price),
      gas: BigInt(gas),
      to,
      data,
      value: BigInt(value),
    });
    return rpc<string>("eth_sendRawTransaction", [raw]);
  }

  async request({ method, params }: { method: string; params?: unknown }): Promise<unknown> {
    const list = (Array.isArray(params) ? params : []) as unknown[];
    switch (method) {
      case "eth_requestAccounts":
        return this.connect();
      case "eth_accounts":
        return this.accounts();
      case "wallet_requestPermissions":
        await this.switchAccount();
        return [{ parentCapability: "eth_accounts" }];
      case "personal_sign":
        return this.sign(list as string[]);
      case "eth_sendTransaction":
        return this.send(list as [Transaction]);
      case "wallet_switchEthereumChain": {
        const wanted = Number((list[0] as { chainId?: string } | undefined)?.chainId);
        if (wanted === Number(await rpc<Hex>("eth_chainId"))) return null;
        throw new RpcError(4902, "The demo wallet knows the local chain only.");
      }
      default:
        return rpc(method, list);
    }
  }
}

if (document.body.dataset.demoWallet) {
  const info = Object.freeze({ uuid: crypto.randomUUID(), name: NAME, icon: ICON, rdns: "org.althing.demo" });
  const detail = Object.freeze({ info, provider: new DemoProvider() });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
}
