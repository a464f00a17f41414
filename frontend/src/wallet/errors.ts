// What wallets answer (EIP-1193, EIP-1474), as sentences with the next step.

export class WalletError extends Error {
  /** `kind` drives the dialog; `message` is the sentence shown. */
  constructor(
    readonly kind: WalletErrorKind,
    message: string,
  ) {
    super(message);
  }
}

export type WalletErrorKind =
  | "rejected"
  | "unauthorized"
  | "unsupported"
  | "disconnected"
  | "chain_unknown"
  | "chain_wrong"
  | "pending"
  | "funds"
  | "nonce"
  | "internal"
  | "mismatch"
  | "missing"
  | "unknown";

const SENTENCES: Record<number, [WalletErrorKind, string]> = {
  4001: ["rejected", "You rejected the request. Nothing was sent."],
  4100: ["unauthorized", "Your wallet has not allowed this site to use that account. Connect it in the wallet and try again."],
  4200: ["unsupported", "Your wallet cannot do this. Choose another wallet."],
  4900: ["disconnected", "Your wallet has lost its connection. Open it, let it reconnect, and try again."],
  4901: ["disconnected", "Your wallet is not connected to this chain. Switch it to the chain and try again."],
  4902: ["chain_unknown", "Your wallet does not know this chain yet. Add it in the wallet and try again."],
  [-32002]: ["pending", "Open your wallet, a request is already waiting there."],
  [-32003]: ["internal", "The chain's node refused the transaction. Nothing was sent."],
  [-32603]: ["internal", "Your wallet had an internal error. Check in the wallet whether something was sent before you try again."],
};

interface RawError {
  code?: unknown;
  message?: unknown;
  data?: { originalError?: RawError };
  cause?: RawError;
  error?: RawError;
}

function codeOf(error: RawError): number | undefined {
  if (typeof error.code === "number") return error.code;
  return typeof error.code === "string" && /^-?\d+$/.test(error.code) ? Number(error.code) : undefined;
}

/** The innermost text: wallets wrap the node's answer in their own. */
function textOf(error: RawError): string {
  const inner = error.data?.originalError ?? error.cause ?? error.error;
  const below = inner ? textOf(inner) : "";
  return `${typeof error.message === "string" ? error.message : ""} ${below}`.trim();
}

/** Maps whatever a wallet threw to a kind and a sentence. Never throws. */
export function walletError(thrown: unknown): WalletError {
  if (thrown instanceof WalletError) return thrown;
  const raw = (typeof thrown === "object" && thrown !== null ? thrown : { message: String(thrown) }) as RawError;
  const text = textOf(raw).toLowerCase();
  // The node's own words come first: wallets give them any code they like.
  if (text.includes("insufficient funds")) {
    return new WalletError("funds", "This account has too little ETH to pay for the gas. Add some and try again.");
  }
  if (/nonce too low|already known|replacement transaction underpriced/.test(text)) {
    return new WalletError("nonce", "Your wallet already has a transaction in this place of its queue. Look there before you send again.");
  }
  const known = SENTENCES[codeOf(raw) ?? 0] ?? SENTENCES[codeOf(raw.data?.originalError ?? {}) ?? 0];
  if (known) return new WalletError(...known);
  if (/user (rejected|denied|cancel)/.test(text)) return new WalletError(...SENTENCES[4001]!);
  const said = textOf(raw).slice(0, 200);
  return new WalletError("unknown", `Your wallet answered with an error${said ? `: ${said}` : ""}. Nothing was sent as far as this page knows; check in the wallet.`);
}
