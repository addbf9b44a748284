// Wallets of the reader's browser, by the Wallet Standard.

import { SolanaSignTransaction, type SolanaSignTransactionFeature } from "@solana/wallet-standard-features";
import { getWallets } from "@wallet-standard/app";
import type { IdentifierString, Wallet, WalletAccount } from "@wallet-standard/base";
import { StandardConnect, type StandardConnectFeature } from "@wallet-standard/features";

export type Usable = Wallet & { features: StandardConnectFeature & SolanaSignTransactionFeature };

const CHOSEN = "wallet";

function usable(wallet: Wallet): wallet is Usable {
  return StandardConnect in wallet.features && SolanaSignTransaction in wallet.features;
}

// Calls back now and whenever a wallet comes or goes.
export function watch(changed: (found: Usable[]) => void): void {
  const { get, on } = getWallets();
  const tell = () => changed(get().filter(usable));
  on("register", tell);
  on("unregister", tell);
  tell();
}

export async function connect(wallet: Usable, silent = false): Promise<readonly WalletAccount[]> {
  const { accounts } = await wallet.features[StandardConnect].connect(silent ? { silent } : undefined);
  if (accounts.length) localStorage.setItem(CHOSEN, wallet.name);
  return accounts.filter((account) => account.features.includes(SolanaSignTransaction));
}

export const lastChosen = () => localStorage.getItem(CHOSEN);

// Version 0, which hardware signs too, unless the wallet takes 1 alone.
export function version(wallet: Usable): 0 | 1 {
  const taken = wallet.features[SolanaSignTransaction].supportedTransactionVersions as readonly (string | number)[];
  return !taken.includes(0) && taken.includes(1) ? 1 : 0;
}

export async function sign(wallet: Usable, account: WalletAccount, transaction: Uint8Array, chain: IdentifierString): Promise<Uint8Array> {
  const [signed] = await wallet.features[SolanaSignTransaction].signTransaction({ account, transaction, chain });
  if (!signed) throw new Error("the wallet answered nothing");
  return new Uint8Array(signed.signedTransaction);
}
