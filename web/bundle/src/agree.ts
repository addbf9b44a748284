// Whether a transaction does what the page shows. The page says itself what it must be; who built it is not believed.

import { read, type Instruction, type Transaction } from "./wire";

// What the page's own server says of an action; see ionet_web/acts.py. Numbers are little-endian, `at` a byte of the data.
export interface Expected {
  program: string;
  associated: string;
  budget: string;
  main: string; // tag of the instruction that must be there
  others: string[]; // tags of those that may
  most: number; // of the main one
  numbers: { at: number; size: number; field: string; decimals: number }[];
  keys: { slot: number; field: string }[];
  least: { at: number; size: number; token: string } | null; // what must at least come, or nothing happens
}

export interface Move {
  token: string;
  units: string;
}

const LEAST_PERCENT = 98n; // of what is shown; plans ask for 99

export class Disagrees extends Error {}

const hex = (data: Uint8Array) => [...data].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Base units of what a person typed; the actions refuse what is finer.
export function units(text: string, decimals: number): bigint {
  const [whole = "", part = ""] = text.trim().split(".");
  return BigInt(whole + part.padEnd(decimals, "0").slice(0, decimals));
}

function number(data: Uint8Array, at: number, size: number): bigint {
  return [...data.subarray(at, at + size)].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

export function agrees(bytes: Uint8Array, expected: Expected, account: string, fields: Map<string, string[]>, signers: string[], moves: Move[] = []): Transaction {
  const transaction = read(bytes);
  if (transaction.keys[0] !== account) throw new Disagrees("another account would pay");
  const others = transaction.keys.slice(1, transaction.required).filter((key) => !signers.includes(key));
  if (others.length) throw new Disagrees(`${others[0]} would have to sign too`);
  let seen = 0;
  for (const item of transaction.instructions) {
    if (item.program === expected.budget) continue;
    if (item.program === expected.associated) {
      if (hex(item.data) !== "01" || item.accounts[0] !== account) throw new Disagrees("a token account would be opened otherwise");
      continue;
    }
    if (item.program !== expected.program) throw new Disagrees(`program ${item.program} would be called`);
    const tag = hex(item.data.subarray(0, 8));
    if (tag === expected.main) {
      checkMain(item, expected, account, fields, seen++);
      checkLeast(item, expected, moves);
    }
    else if (!expected.others.includes(tag)) throw new Disagrees("another instruction would be run");
  }
  if (seen === 0 || seen > expected.most) throw new Disagrees(`it would be done ${seen} times`);
  return transaction;
}

function checkMain(item: Instruction, expected: Expected, account: string, fields: Map<string, string[]>, turn: number): void {
  const value = (field: string) => fields.get(field)?.[turn] ?? fields.get(field)?.[0] ?? "";
  for (const { at, size, field, decimals } of expected.numbers) {
    if (number(item.data, at, size) !== units(value(field), decimals)) throw new Disagrees(`${field} would be another`);
  }
  for (const { slot, field } of expected.keys) {
    const wanted = field === "account" ? account : value(field).trim();
    if (item.accounts[slot] !== wanted) throw new Disagrees(`${field} would be another`);
  }
}

// What is shown to come is what the node of the chain says; that it comes is what the signed bytes insist on.
function checkLeast(item: Instruction, { least }: Expected, moves: Move[]): void {
  if (!least) return;
  const shown = moves.find((move) => move.token === least.token);
  if (!shown || number(item.data, least.at, least.size) * 100n < BigInt(shown.units) * LEAST_PERCENT)
    throw new Disagrees(`less ${least.token} could come than is shown`);
}

const acts = (transaction: Transaction, budget: string) =>
  JSON.stringify(
    transaction.instructions
      .filter((item) => item.program !== budget)
      .map((item) => [item.program, item.accounts, hex(item.data)]),
  );

// A wallet may change version, compute budget and priority fee of what it signs, and nothing that the program sees.
export function sameActs(shown: Transaction, signed: Transaction, budget: string): void {
  const signers = (transaction: Transaction) => transaction.keys.slice(0, transaction.required).sort().join();
  if (signers(shown) !== signers(signed) || shown.keys[0] !== signed.keys[0] || acts(shown, budget) !== acts(signed, budget))
    throw new Disagrees("the wallet signed something else than was shown");
}
