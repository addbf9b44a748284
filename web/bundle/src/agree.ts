// Whether a transaction does what the page shows. The page says itself what it must be; who built it is not believed.

import { base58, read, type Instruction, type Transaction } from "./wire";

// What the page's own server says of an action; see ionet_web/acts.py. Numbers are little-endian, `at` a byte of the data.
export interface Expected {
  program: string;
  associated: string;
  budget: string;
  parts: Part[];
}

interface Place {
  at: number;
  size: number;
}

interface Part {
  tag: string; // of the instruction
  fewest: number;
  most: number;
  numbers: (Place & { field: string; decimals: number; times: number })[];
  keys: { slot: number; field: string }[]; // accounts
  own: number[]; // accounts that must be the wallet's
  addresses: { at: number; field: string }[]; // in the data
  comes: (Place & { token: string }) | null; // what must at least come, or nothing happens
  goes: (Place & { token: string }) | null; // what goes at most
}

export interface Move {
  token: string;
  units: string;
}

// What was asked for: the wallet, the form, who else signs, and what is shown to move.
export interface Asked {
  account: string;
  fields: Map<string, string>;
  signers: string[];
  moves: Move[];
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

// Raises Disagrees, or Unreadable.
export function agrees(bytes: Uint8Array, expected: Expected, asked: Asked): Transaction {
  const transaction = read(bytes);
  if (transaction.keys[0] !== asked.account) throw new Disagrees("another account would pay");
  const others = transaction.keys.slice(1, transaction.required).filter((key) => !asked.signers.includes(key));
  if (others.length) throw new Disagrees(`${others[0]} would have to sign too`);
  const seen = expected.parts.map(() => 0);
  // The program of token accounts fails where an account that it is to open is not that of owner and mint.
  const own = transaction.instructions
    .filter(({ program, accounts }) => program === expected.associated && accounts[2] === asked.account)
    .flatMap(({ accounts }) => accounts.slice(1, 2));
  for (const item of transaction.instructions) {
    if (item.program === expected.budget) continue;
    if (item.program === expected.associated) {
      if (hex(item.data) !== "01" || item.accounts[0] !== asked.account) throw new Disagrees("a token account would be opened otherwise");
      continue;
    }
    if (item.program !== expected.program) throw new Disagrees(`program ${item.program} would be called`);
    const place = expected.parts.findIndex((part) => part.tag === hex(item.data.subarray(0, 8)));
    const part = expected.parts[place];
    if (!part) throw new Disagrees("another instruction would be run");
    if (part.own.some((slot) => !own.includes(item.accounts[slot]!))) throw new Disagrees("another account would be paid");
    check(item, part, asked, seen[place]!++);
  }
  expected.parts.forEach((part, place) => {
    if (seen[place]! < part.fewest || seen[place]! > part.most) throw new Disagrees(`part of it would be done ${seen[place]} times`);
  });
  // Parts that nothing is asked of only open the way for others.
  if (!expected.parts.some((part, place) => part.keys.length && seen[place])) throw new Disagrees("it would do nothing");
  const nodes = expected.parts.flatMap((part, place) => part.keys.filter(({ field }) => listed(asked, field).length > 1).map(() => place));
  for (const place of nodes) {
    const most = Math.max(...expected.parts[place]!.keys.map(({ field }) => listed(asked, field).length));
    if (seen[place] !== most) throw new Disagrees(`${seen[place]} of ${most} would be done`);
  }
  return transaction;
}

const listed = (asked: Asked, field: string) => (asked.fields.get(field) ?? "").split(/[\s,]+/).filter(Boolean);

function wanted(asked: Asked, field: string, turn: number): string | undefined {
  if (field === "account") return asked.account;
  const all = listed(asked, field);
  return all.length > 1 ? all[turn] : all[0];
}

function check(item: Instruction, part: Part, asked: Asked, turn: number): void {
  for (const { at, size, field, decimals, times } of part.numbers) {
    const value = units(asked.fields.get(field) ?? "", decimals) * BigInt(times);
    if (number(item.data, at, size) !== value) throw new Disagrees(`${field} would be another`);
  }
  for (const { slot, field } of part.keys) {
    if (item.accounts[slot] !== wanted(asked, field, turn)) throw new Disagrees(`${field} would be another`);
  }
  for (const { at, field } of part.addresses) {
    if (base58(item.data.subarray(at, at + 32)) !== wanted(asked, field, turn)) throw new Disagrees(`${field} would be another`);
  }
  // What is shown to move is what the node of the chain says; that it does is what the signed bytes insist on.
  const shown = (token: string) => BigInt(asked.moves.find((move) => move.token === token)?.units ?? "0");
  const { comes, goes } = part;
  if (comes && (shown(comes.token) <= 0n || number(item.data, comes.at, comes.size) * 100n < shown(comes.token) * LEAST_PERCENT))
    throw new Disagrees(`less ${comes.token} could come than is shown`);
  if (goes && number(item.data, goes.at, goes.size) > -shown(goes.token)) throw new Disagrees(`more ${goes.token} would go than is shown`);
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
