// Reading what people type as the chain's values. Each error is a sentence with the way out.
import { amountText, group, parseAmount, quantityText } from "../lib/format";
import type { ParameterFact } from "./types";

/** What a parameter's number is typed in. */
export function inputUnit(parameter: ParameterFact): string {
  if (parameter.kind === "TOKEN_WEI") return `ALT${parameter.unit.slice(3)}`;
  if (parameter.kind === "BYTES32") return "0x and 64 hexadecimal digits";
  return { SECONDS: "seconds", BPS: "basis points", UINT: parameter.unit === "count" ? "" : parameter.unit }[parameter.kind as string] ?? parameter.unit;
}

/** The text for the input that stands for a value. */
export function inputText(parameter: ParameterFact, value: string): string {
  if (parameter.kind === "TOKEN_WEI") return amountText(BigInt(value), 18, null).replaceAll("\u202f", "");
  return value;
}

export function valueWords(parameter: ParameterFact, value: string): string {
  return parameter.kind === "BYTES32" ? value : quantityText(BigInt(value), parameter.unit);
}

const WHOLE: Record<string, string> = {
  SECONDS: "Enter a whole number of seconds without a unit: 45 minutes are 2700.",
  BPS: "Enter a whole number of basis points without a unit: 25 % are 2500.",
};

/** Reads and checks a typed value against the registry's own rules. Throws Error with a sentence. */
export function parameterValue(parameter: ParameterFact, text: string): string {
  const clean = text.trim();
  if (parameter.kind === "BYTES32") {
    if (!/^0x[0-9a-fA-F]{64}$/.test(clean)) throw new Error("A Merkle root is 0x and 64 hexadecimal digits.");
    if (clean.toLowerCase() === parameter.voted_value.toLowerCase()) throw new Error("This is the value already.");
    return clean.toLowerCase();
  }
  const value = parameter.kind === "TOKEN_WEI" ? parseAmount(clean) : wholeNumber(clean, parameter.kind);
  numberCheck(parameter, value);
  return value.toString();
}

function wholeNumber(text: string, kind: string): bigint {
  const digits = text.replace(/[\s\u202f\u00a0_]/g, "");
  if (!digits) throw new Error("Enter a value.");
  if (digits.includes(",")) throw new Error("Write the number without commas.");
  if (!/^\d{1,78}$/.test(digits)) throw new Error(WHOLE[kind] ?? "Enter a whole number.");
  return BigInt(digits);
}

function numberCheck(parameter: ParameterFact, value: bigint): void {
  const words = (number: bigint) => quantityText(number, parameter.unit);
  const [min, max, step] = [BigInt(parameter.min), BigInt(parameter.max), BigInt(parameter.step)];
  if (value < min || value > max) {
    throw new Error(`Out of bounds: the value lies between ${words(min)} and ${words(max)}.`);
  }
  if (step && (value - min) % step) {
    const below = min + ((value - min) / step) * step;
    throw new Error(`Off step: values go in steps of ${words(step)}. The nearest are ${words(below)} and ${words(below + step)}.`);
  }
  if (value === BigInt(parameter.voted_value)) throw new Error("This is the value already; nothing would change.");
  if (parameter.low !== null && parameter.high !== null) {
    const [low, high] = [BigInt(parameter.low), BigInt(parameter.high)];
    if (value < low || value > high) {
      throw new Error(`Too far for one change: from ${words(BigInt(parameter.voted_value))} one may go to between ${words(low)} and ${words(high)}.`);
    }
  }
}

/** "−33 %": the change in percent, or "" from zero. */
export function changeWords(from: string, to: string): string {
  if (!/^\d+$/.test(from) || !/^\d+$/.test(to) || BigInt(from) === 0n) return "";
  const tenths = Number(((BigInt(to) - BigInt(from)) * 1000n) / BigInt(from));
  const size = Math.abs(tenths) / 10;
  return `${tenths < 0 ? "−" : "+"}${size >= 10 ? Math.round(size) : size}\u00a0%`;
}

/** Positions of a slider over [low, high]: at most 1000, all on step. */
export function sliderScale(low: bigint, high: bigint, step: bigint): { positions: number; at(position: number): bigint; of(value: bigint): number } {
  const grid = step || 1n;
  const steps = (high - low) / grid;
  const positions = Number(steps < 1000n ? steps : 1000n);
  return {
    positions,
    at: (position) => low + grid * ((steps * BigInt(position)) / BigInt(positions || 1)),
    of: (value) => Number(((value - low) / grid) * BigInt(positions) / (steps || 1n)),
  };
}

export { group };
