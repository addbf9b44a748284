// A machine's own key, made in the browser: it signs the registration after the wallet, and only whoever saved it has it.

import { base58 } from "./wire";

export interface Device {
  address: string;
  key: CryptoKey;
  file: Blob; // as Solana's command line writes a keypair
}

const SEED = 32;

export async function makeDevice(): Promise<Device> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const open = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const hidden = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)).slice(-SEED);
  const file = new Blob([JSON.stringify([...hidden, ...open])], { type: "application/json" });
  return { address: base58(open), key: pair.privateKey, file };
}

export const signWith = async (key: CryptoKey, message: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign("Ed25519", key, message.slice()));
