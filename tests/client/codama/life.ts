// The generated client against a local chain: life.js RPC_URL WS_URL, and a JSON object on standard input.
// Prints what it read, what it sent and what it was refused.
import { readFileSync } from "node:fs";
import {
  address,
  appendTransactionMessageInstruction,
  assertIsTransactionWithBlockhashLifetime,
  createKeyPairSignerFromBytes,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  getSignatureFromTransaction,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  type Instruction,
  type TransactionSigner,
} from "@solana/kit";
import {
  fetchCluster,
  fetchLease,
  fetchNetwork,
  fetchNode,
  findNetworkPda,
  getIonetErrorMessage,
  getPauseNodeInstructionAsync,
  IONET_PROGRAM_ADDRESS,
  isIonetError,
  IONET_ERROR__NOT_NODE_OWNER,
} from "./generated";

type Given = { node: string; lease: string; cluster: string; owner: number[]; stranger: number[] };

const [rpcUrl, wsUrl] = process.argv.slice(2) as [string, string];
const given = JSON.parse(readFileSync(0, "utf8")) as Given;
const rpc = createSolanaRpc(rpcUrl);
const rpcSubscriptions = createSolanaRpcSubscriptions(wsUrl);
const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const commitment = "confirmed";

async function message(payer: TransactionSigner, instruction: Instruction) {
  const { value: lifetime } = await rpc.getLatestBlockhash({ commitment }).send();
  return pipe(
    createTransactionMessage({ version: 0 }),
    (m) => setTransactionMessageFeePayerSigner(payer, m),
    (m) => setTransactionMessageLifetimeUsingBlockhash(lifetime, m),
    (m) => appendTransactionMessageInstruction(instruction, m),
  );
}

async function pause(owner: TransactionSigner) {
  const node = address(given.node);
  const instruction = await getPauseNodeInstructionAsync({ owner, node, program: IONET_PROGRAM_ADDRESS, paused: true });
  const built = await message(owner, instruction);
  const signed = await signTransactionMessageWithSigners(built);
  assertIsTransactionWithBlockhashLifetime(signed);
  return { built, signed };
}

// As the SDK shows accounts: 64 bits and more as text, bytes as hex.
function shown(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

async function main() {
  const [network] = await findNetworkPda();
  const accounts = {
    network: (await fetchNetwork(rpc, network, { commitment })).data,
    node: (await fetchNode(rpc, address(given.node), { commitment })).data,
    lease: (await fetchLease(rpc, address(given.lease), { commitment })).data,
    cluster: (await fetchCluster(rpc, address(given.cluster), { commitment })).data,
  };
  const { signed } = await pause(await createKeyPairSignerFromBytes(new Uint8Array(given.owner)));
  await sendAndConfirm(signed, { commitment });

  const refused = await pause(await createKeyPairSignerFromBytes(new Uint8Array(given.stranger)));
  let refusal: string | undefined;
  try {
    await sendAndConfirm(refused.signed, { commitment });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (isIonetError(cause, refused.built, IONET_ERROR__NOT_NODE_OWNER)) {
      refusal = getIonetErrorMessage(cause.context.code);
    } else {
      throw error;
    }
  }
  console.log(JSON.stringify({ network, accounts, signature: getSignatureFromTransaction(signed), refusal }, shown));
}

void main();
