// @solana/kit against a local chain: kit.mjs RPC_URL WS_URL
import assert from "node:assert/strict";
import {
  AccountRole,
  address,
  airdropFactory,
  appendTransactionMessageInstruction,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getBase64EncodedWireTransaction,
  getSignatureFromTransaction,
  isSolanaError,
  lamports,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
} from "@solana/kit";

const [rpcUrl, wsUrl] = process.argv.slice(2);
const rpc = createSolanaRpc(rpcUrl);
const rpcSubscriptions = createSolanaRpcSubscriptions(wsUrl);
const SYSTEM_PROGRAM = address("11111111111111111111111111111111");
const SOL = 1_000_000_000n;
const commitment = "confirmed";

function transfer(from, to, amount) {
  const data = new Uint8Array(12);
  const view = new DataView(data.buffer);
  view.setUint32(0, 2, true);
  view.setBigUint64(4, amount, true);
  const accounts = [
    { address: from.address, role: AccountRole.WRITABLE_SIGNER, signer: from },
    { address: to, role: AccountRole.WRITABLE },
  ];
  return { programAddress: SYSTEM_PROGRAM, accounts, data };
}

async function signed(payer, instruction, lifetime) {
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (m) => setTransactionMessageFeePayerSigner(payer, m),
    (m) => setTransactionMessageLifetimeUsingBlockhash(lifetime, m),
    (m) => appendTransactionMessageInstruction(instruction, m),
  );
  return signTransactionMessageWithSigners(message);
}

const wallet = await generateKeyPairSigner();
const to = (await generateKeyPairSigner()).address;

// Airdrop, confirmed through the websocket.
const airdrop = airdropFactory({ rpc, rpcSubscriptions });
await airdrop({ commitment, lamports: lamports(5n * SOL), recipientAddress: wallet.address });
assert.equal((await rpc.getBalance(wallet.address, { commitment }).send()).value, 5n * SOL);

// Subscribe, then send and confirm.
const abort = new AbortController();
const options = { abortSignal: abort.signal };
const accounts = await rpcSubscriptions.accountNotifications(to, { commitment, encoding: "base64" }).subscribe(options);
const logs = await rpcSubscriptions.logsNotifications({ mentions: [to] }, { commitment }).subscribe(options);
const slots = await rpcSubscriptions.slotNotifications().subscribe(options);
// An iterator hears only what comes after its first call.
const first = async (subscription) => (await subscription[Symbol.asyncIterator]().next()).value;
const heard = Promise.all([first(accounts), first(logs), first(slots)]);
const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const { value: lifetime } = await rpc.getLatestBlockhash({ commitment }).send();
const transaction = await signed(wallet, transfer(wallet, to, SOL), lifetime);
const started = performance.now();
await sendAndConfirm(transaction, { commitment });
const confirmMs = performance.now() - started;
const signature = getSignatureFromTransaction(transaction);
const [accountHeard, logHeard, slotHeard] = await heard;
assert.equal(accountHeard.value.lamports, SOL);
assert.equal(logHeard.value.signature, signature);
assert.ok(slotHeard.slot > 0n);
abort.abort();

// Replay and an unknown blockhash are refused by preflight.
const refusal = async (sent) => {
  try {
    await rpc.sendTransaction(getBase64EncodedWireTransaction(sent), { encoding: "base64" }).send();
  } catch (error) {
    assert.ok(isSolanaError(error, SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE));
    return error.cause.message;
  }
  return "accepted";
};
assert.match(await refusal(transaction), /already been processed/);
const stale = await signed(wallet, transfer(wallet, to, SOL), { ...lifetime, blockhash: wallet.address });
assert.match(await refusal(stale), /[Bb]lockhash/);

// Accounts and history.
const account = (await rpc.getAccountInfo(to, { commitment, encoding: "base64" }).send()).value;
assert.deepEqual([account.lamports, account.owner, account.space], [SOL, SYSTEM_PROGRAM, 0n]);
const several = await rpc.getMultipleAccounts([to, wallet.address], { commitment, encoding: "base64" }).send();
assert.equal(several.value[1].lamports, 4n * SOL - 5000n);
const listed = await rpc.getSignaturesForAddress(wallet.address, { commitment }).send();
assert.equal(listed[0].signature, signature);
assert.equal(listed.length, 2);
const found = await rpc.getTransaction(signature, { commitment, encoding: "json", maxSupportedTransactionVersion: 0 }).send();
assert.equal(found.meta.postBalances[1], SOL);
const block = await rpc.getBlock(found.slot, { commitment, maxSupportedTransactionVersion: 0, rewards: false }).send();
assert.ok(block.transactions.some((entry) => entry.transaction.signatures[0] === signature));

console.log(JSON.stringify({ wallet: wallet.address, signatures: listed.map((entry) => entry.signature), confirmMs }));
