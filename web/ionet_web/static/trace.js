// From a result to its proof, computed by the reader: the result is hashed here and never sent, and its Merkle path is
// followed here, with the same rules as client/ionet/rules/merkle.py. Nothing that the server says is believed for it.

const MOST_BYTES = 512 * 1024 * 1024;
const LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new Error("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function fromBase58(text) {
  if (!/^[1-9A-HJ-NP-Za-km-z]{32,44}$/.test(text)) throw new Error("not an address");
  let number = 0n;
  for (const letter of text) number = number * 58n + BigInt(LETTERS.indexOf(letter));
  const bytes = fromHex(number.toString(16).padStart(64, "0"));
  if (bytes.length !== 32) throw new Error("not an address");
  return bytes;
}

async function sha256(...parts) {
  const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

function little(number, size) {
  const bytes = new Uint8Array(size);
  let left = BigInt(number);
  for (let place = 0; place < size; place++, left >>= 8n) bytes[place] = Number(left & 255n);
  if (left !== 0n) throw new Error("a number too large");
  return bytes;
}

function hash32(text) {
  const bytes = fromHex(text);
  if (bytes.length !== 32) throw new Error("not a hash");
  return bytes;
}

// Whether the path leads from the result to the root; a node without a sibling moves up unchanged.
export async function leads(proof) {
  let index = Number(proof.index);
  let width = Number(proof.count);
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(width) || index < 0 || index >= width) return false;
  const siblings = proof.path ? proof.path.split(" ").map(hash32) : [];
  const place = [fromBase58(proof.lease), little(proof.interval, 8), little(index, 4)];
  let node = await sha256(Uint8Array.of(0), ...place, hash32(proof.task), hash32(proof.result));
  for (; width > 1; index = Math.floor(index / 2), width = Math.ceil(width / 2)) {
    const beside = index % 2 ? index - 1 : index + 1;
    if (beside >= width) continue;
    const sibling = siblings.shift();
    if (!sibling) return false;
    node = await (index % 2 ? sha256(Uint8Array.of(1), sibling, node) : sha256(Uint8Array.of(1), node, sibling));
  }
  const root = hash32(proof.root);
  return siblings.length === 0 && root.some(Boolean) && toHex(node) === toHex(root);
}

async function check(section) {
  const verdict = section.querySelector("output");
  const say = (words, sort) => {
    verdict.className = `state ${sort}`;
    verdict.textContent = words;
  };
  section.hidden = false;
  if (!globalThis.crypto?.subtle) return say("this browser computes no hashes on a page without https", "waiting");
  // The result is the one that was asked for, whatever the answer says.
  const result = location.pathname.split("/").pop();
  let good = false;
  try {
    good = await leads({ ...section.dataset, result });
  } catch {
    // What cannot be read leads nowhere.
  }
  return good
    ? say("computed in this browser: the result leads to the root", "good")
    : say("computed in this browser: the result does NOT lead to the root; do not believe this answer", "bad");
}

async function find(bytes, output) {
  if (bytes.size > MOST_BYTES) {
    output.textContent = "more than 512 MiB: use ionet trace --file";
    return;
  }
  output.textContent = "hashing…";
  location.assign(`/trace/${toHex(await sha256(bytes))}`);
}

function receive(form) {
  if (!globalThis.crypto?.subtle) return;
  const [file, text, output] = ["input", "textarea", "output"].map((name) => form.querySelector(name));
  form.hidden = false;
  file.addEventListener("change", () => file.files.length && find(file.files[0], output));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find(file.files[0] ?? new Blob([text.value]), output);
  });
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("drop", (event) => event.dataTransfer.files.length && find(event.dataTransfer.files[0], output));
}

document.querySelectorAll("form.drop").forEach(receive);
document.querySelectorAll("section.proof").forEach(check);
