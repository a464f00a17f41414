// Transactions that were sent from this browser and are not final yet.
// The server watches them; this only remembers which ones to ask about after a reload.

export interface Sent {
  /** Chain, sender, target, value and data: sending the same again is a duplicate. */
  identity: string;
  hash: string;
  title: string;
  call: string;
  purpose: string;
  proposalId: string;
  /** Unix milliseconds. */
  sentAt: number;
  /** The dialog was open: open it again after a reload. */
  shown: boolean;
  done: boolean;
}

const KEY = "althing:transactions";
const KEPT_MS = 86_400_000;

function read(): Sent[] {
  try {
    const rows = JSON.parse(localStorage.getItem(KEY) ?? "[]") as unknown;
    return Array.isArray(rows) ? (rows as Sent[]).filter(({ sentAt }) => Date.now() - sentAt < KEPT_MS) : [];
  } catch {
    return [];
  }
}

function write(rows: Sent[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(rows.slice(-20)));
  } catch {
    // Without storage a reload forgets the dialog; the server goes on watching.
  }
}

export function sentSave(row: Sent): void {
  write([...read().filter(({ hash }) => hash !== row.hash), row]);
}

export function sentUpdate(hash: string, change: Partial<Sent>): void {
  write(read().map((row) => (row.hash === hash ? { ...row, ...change } : row)));
}

/** The same call, sent and not yet done: sending it again could do it twice. */
export function sentDuplicate(identity: string): Sent | undefined {
  return read().find((row) => row.identity === identity && !row.done);
}

/** The transaction whose dialog was open when the page was left. */
export function openTransaction(): Sent | undefined {
  return read().findLast((row) => row.shown && !row.done);
}
