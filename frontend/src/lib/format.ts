// The same words for figures as chain/formatting.py.

export const GROUP = "\u202f";

export function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, GROUP);
}

/** Base units as a decimal figure, cut to `places` (null keeps every digit). */
export function amountText(amount: bigint, decimals = 18, places: number | null = 4): string {
  const sign = amount < 0n ? "-" : "";
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const rest = decimals ? digits.slice(-decimals) : "";
  const kept = (places === null ? rest : rest.slice(0, places)).replace(/0+$/, "");
  return `${sign}${group(whole)}${kept ? `.${kept}` : ""}`;
}

/** Reads "1 234.5" as base units. Throws a sentence a person can act on. */
export function parseAmount(text: string, decimals = 18): bigint {
  const clean = text.trim().replace(/[\s\u202f\u00a0_]/g, "");
  if (!clean) throw new Error("Enter an amount.");
  if (clean.includes(",")) throw new Error("Write decimals with a point, and no commas: 1234.5");
  if (!/^\d+(\.\d+)?$/.test(clean)) throw new Error("Enter a number such as 1234.5, without a unit.");
  const [whole = "0", rest = ""] = clean.split(".");
  if (rest.length > decimals) throw new Error(`At most ${decimals} digits after the point.`);
  return BigInt(whole) * 10n ** BigInt(decimals) + BigInt(rest.padEnd(decimals, "0") || "0");
}

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** The two largest units in use: "2 d 3 h". */
export function durationText(seconds: number, parts = 2): string {
  let left = Math.abs(Math.trunc(seconds));
  const words: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) words.push(`${count}\u00a0${unit}`);
    else if (words.length) break;
  }
  return words.slice(0, parts).join(" ") || "0\u00a0s";
}

export function shortHex(text: string): string {
  return text.length > 13 ? `${text.slice(0, 6)}…${text.slice(-4)}` : text;
}

/** A parameter's value in its own unit's words. */
export function quantityText(value: bigint, unit: string): string {
  // "wei per GPU", "s of rent": the first word is the unit, the rest says of what.
  const [base = "", ...rest] = unit.split(" ");
  const suffix = rest.length ? ` ${rest.join(" ")}` : "";
  const plain = group(value.toString());
  if (base === "wei") return `${amountText(value, 18, null)}\u00a0ALT${suffix}`;
  if (base === "bps") return `${Number(value) / 100}\u00a0% (${plain}\u00a0bps)${suffix}`;
  if (base === "s") return `${plain}\u00a0s${value < 60n ? "" : ` (${durationText(Number(value))})`}${suffix}`;
  return unit && unit !== "count" ? `${plain}\u00a0${unit}` : plain;
}
