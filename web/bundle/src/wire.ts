// Transactions as they are on the wire, versions 0 and 1: enough to see what is signed, and to put a signature in.

export interface Instruction {
  program: string;
  accounts: string[];
  data: Uint8Array;
}

export interface Transaction {
  bytes: Uint8Array;
  version: 0 | 1;
  keys: string[];
  required: number; // how many of the keys sign, the first ones
  signaturesAt: number;
  message: Uint8Array; // what is signed
  instructions: Instruction[];
}

export class Unreadable extends Error {}

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const SIGNATURE = 64;
const VERSION_1 = 0x81;

export function base58(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return "1".repeat(zeros < 0 ? bytes.length : zeros) + text;
}

export const fromBase64 = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const toBase64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

class Reader {
  at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Unreadable("the transaction ends too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  short(): number {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Unreadable("a length is too long");
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Unreadable("something follows the transaction");
  }
}

export function read(bytes: Uint8Array): Transaction {
  return bytes[0] === VERSION_1 ? readOne(bytes) : readZero(bytes);
}

function readZero(bytes: Uint8Array): Transaction {
  const reader = new Reader(bytes);
  const count = reader.short();
  const signaturesAt = reader.at;
  reader.take(SIGNATURE * count);
  const start = reader.at;
  if (reader.byte() !== 0x80) throw new Unreadable("the transaction has another version than 0 or 1");
  const required = reader.byte();
  reader.take(2);
  const keys = Array.from({ length: reader.short() }, () => base58(reader.take(32)));
  reader.take(32);
  const found = Array.from({ length: reader.short() }, () => ({
    program: reader.byte(),
    accounts: [...reader.take(reader.short())],
    data: reader.take(reader.short()),
  }));
  if (reader.short() !== 0) throw new Unreadable("the transaction names accounts by lookup tables");
  reader.end();
  if (count !== required) throw new Unreadable("signatures are missing");
  return { bytes, version: 0, keys, required, signaturesAt, message: bytes.subarray(start), instructions: named(found, keys) };
}

function readOne(bytes: Uint8Array): Transaction {
  const reader = new Reader(bytes);
  reader.byte();
  const required = reader.byte();
  reader.take(2);
  const mask = new DataView(reader.take(4).slice().buffer).getUint32(0, true);
  reader.take(32);
  const count = reader.byte();
  const keys = Array.from({ length: reader.byte() }, () => base58(reader.take(32)));
  for (let bits = mask; bits; bits &= bits - 1) reader.take(4);
  const heads = Array.from({ length: count }, () => {
    const [program, accounts] = [reader.byte(), reader.byte()];
    return { program, accounts, data: reader.byte() | (reader.byte() << 8) };
  });
  const found = heads.map((head) => ({
    program: head.program,
    accounts: [...reader.take(head.accounts)],
    data: reader.take(head.data),
  }));
  const signaturesAt = reader.at;
  reader.take(SIGNATURE * required);
  reader.end();
  const message = bytes.subarray(0, signaturesAt);
  return { bytes, version: 1, keys, required, signaturesAt, message, instructions: named(found, keys) };
}

function named(found: { program: number; accounts: number[]; data: Uint8Array }[], keys: string[]): Instruction[] {
  const key = (at: number) => {
    const name = keys[at];
    if (name === undefined) throw new Unreadable("the transaction names an account that it does not have");
    return name;
  };
  return found.map(({ program, accounts, data }) => ({ program: key(program), accounts: accounts.map(key), data }));
}

export function signature(transaction: Transaction): string {
  return base58(transaction.bytes.subarray(transaction.signaturesAt, transaction.signaturesAt + SIGNATURE));
}

// The same transaction with the signature of one of its keys put in.
export function withSignature(transaction: Transaction, key: string, made: Uint8Array): Uint8Array {
  const place = transaction.keys.indexOf(key);
  if (place < 0 || place >= transaction.required) throw new Unreadable(`${key} does not sign this transaction`);
  const bytes = transaction.bytes.slice();
  bytes.set(made, transaction.signaturesAt + SIGNATURE * place);
  return bytes;
}
