// @solana/web3.js 1.x against a local chain: web3.mjs RPC_URL. The websocket is found on the next port, as by default.
import assert from "node:assert/strict";
import {
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";

const connection = new Connection(process.argv[2], "confirmed");
const wallet = Keypair.generate();
const to = Keypair.generate().publicKey;

// Airdrop and confirm through the websocket.
const latest = await connection.getLatestBlockhash();
const airdrop = await connection.requestAirdrop(wallet.publicKey, 5 * LAMPORTS_PER_SOL);
const confirmed = await connection.confirmTransaction({ signature: airdrop, ...latest }, "confirmed");
assert.equal(confirmed.value.err, null);
assert.equal(await connection.getBalance(wallet.publicKey), 5 * LAMPORTS_PER_SOL);

// Subscriptions.
const heard = {};
const all = new Promise((resolve) => {
  const hear = (kind, value) => {
    heard[kind] ??= value;
    if (Object.keys(heard).length === 4) resolve();
  };
  connection.onAccountChange(to, (account) => hear("account", account.lamports), { commitment: "confirmed" });
  connection.onLogs(to, (logs) => hear("logs", logs.signature), "processed");
  connection.onSlotChange((info) => hear("slot", info.slot));
  connection.onProgramAccountChange(SystemProgram.programId, (info) => hear("program", info.accountId.toBase58()), {
    commitment: "processed",
  });
});
// Subscribing has no answer to wait for in this client: a notified slot shows that the socket is open.
while (!heard.slot) await new Promise((resolve) => setTimeout(resolve, 10));

// A legacy transaction.
const pay = SystemProgram.transfer({ fromPubkey: wallet.publicKey, toPubkey: to, lamports: LAMPORTS_PER_SOL });
const signature = await sendAndConfirmTransaction(connection, new Transaction().add(pay), [wallet]);
await all;
assert.equal(heard.account, LAMPORTS_PER_SOL);
assert.equal(heard.logs, signature);

// A version 0 transaction, sent twice: the second is refused.
const recent = await connection.getLatestBlockhash();
const message = new TransactionMessage({
  payerKey: wallet.publicKey,
  recentBlockhash: recent.blockhash,
  instructions: [pay],
}).compileToV0Message();
const versioned = new VersionedTransaction(message);
versioned.sign([wallet]);
const second = await connection.sendTransaction(versioned);
await connection.confirmTransaction({ signature: second, ...recent }, "confirmed");
await assert.rejects(connection.sendTransaction(versioned), /already been processed/);

// A blockhash that was never valid.
const unknown = new TransactionMessage({
  payerKey: wallet.publicKey,
  recentBlockhash: Keypair.generate().publicKey.toBase58(),
  instructions: [pay],
}).compileToV0Message();
const stale = new VersionedTransaction(unknown);
stale.sign([wallet]);
await assert.rejects(connection.sendTransaction(stale), /Blockhash not found/);

// Accounts and history.
assert.equal((await connection.getAccountInfo(to)).lamports, 2 * LAMPORTS_PER_SOL);
assert.equal((await connection.getMultipleAccountsInfo([to, Keypair.generate().publicKey]))[1], null);
const listed = await connection.getSignaturesForAddress(wallet.publicKey);
assert.deepEqual(listed.map((entry) => entry.signature), [second, signature, airdrop]);
const found = await connection.getTransaction(second, { maxSupportedTransactionVersion: 0 });
assert.equal(found.meta.postBalances[1] - found.meta.preBalances[1], LAMPORTS_PER_SOL);
await assert.rejects(connection.getTransaction(second), /version \(0\) is not supported/);
const parsed = await connection.getParsedTransaction(signature, { maxSupportedTransactionVersion: 0 });
assert.equal(parsed.transaction.message.accountKeys[0].pubkey.toBase58(), wallet.publicKey.toBase58());
const block = await connection.getBlock(found.slot, { maxSupportedTransactionVersion: 0 });
assert.ok(block.transactions.some((entry) => entry.transaction.signatures[0] === second));
const simulated = await connection.simulateTransaction(stale, { replaceRecentBlockhash: true });
assert.equal(simulated.value.err, null);

// Time moves.
const slot = await connection.getSlot("processed");
while ((await connection.getSlot("processed")) <= slot);

console.log(JSON.stringify({ wallet: wallet.publicKey.toBase58(), signatures: [airdrop, signature, second] }));
// The websocket of this client has no close.
process.exit(0);
