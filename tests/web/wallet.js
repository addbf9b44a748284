// A wallet for tests, put into the page before its own scripts: the Wallet Standard by hand, an Ed25519 key in WebCrypto.
// window.WALLET = {pkcs8, publicKey, address, ...}: see `web.signing` for what else it may say.
(() => {
  if (!crypto.subtle) return; // the empty page before the first
  const { pkcs8, publicKey, address, chains, versions, late, name } = window.WALLET;
  const raw = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const key = crypto.subtle.importKey("pkcs8", raw(pkcs8), "Ed25519", false, ["sign"]);
  const mine = raw(publicKey);
  const account = { address, publicKey: mine, chains, features: ["solana:signTransaction"] };
  const faults = window.FAULTS = { locked: false, refuse: false, hold: false, release: () => {}, swap: false, asked: 0, calls: [] };

  function short(data, at) {
    return data[at] < 0x80 ? [data[at], at + 1] : [(data[at] & 0x7f) | (data[at + 1] << 7), at + 2];
  }

  // Where signatures, message and keys are: version 1 has its signatures at the end.
  function parts(data) {
    if (data[0] === 0x81) {
      const count = data[1];
      return { count, signatures: data.length - 64 * count, message: data.slice(0, data.length - 64 * count), keys: 42 };
    }
    const [count, start] = short(data, 0);
    const message = data.slice(start + 64 * count);
    return { count, signatures: start, message, keys: short(message, 4)[1] };
  }

  async function signOne({ transaction, chain }) {
    faults.asked += 1;
    faults.calls.push(chain);
    if (faults.hold) await new Promise((done) => (faults.release = done));
    if (faults.refuse) throw new Error("User rejected the request.");
    let data = transaction.slice();
    if (faults.swap) data = raw(faults.swap);
    const { count, signatures, message, keys } = parts(data);
    for (let at = 0; at < count; at++) {
      if (!mine.every((byte, place) => message[keys + 32 * at + place] === byte)) continue;
      const made = new Uint8Array(await crypto.subtle.sign("Ed25519", await key, message));
      data.set(made, signatures + 64 * at);
      return { signedTransaction: data };
    }
    throw new Error("this account does not sign here");
  }

  const wallet = {
    version: "1.0.0",
    name: name ?? "Test wallet",
    icon: "data:image/svg+xml;base64,PHN2Zy8+",
    chains,
    get accounts() {
      return faults.locked ? [] : [account];
    },
    features: {
      "standard:connect": { version: "1.0.0", connect: async () => ({ accounts: faults.locked ? [] : [account] }) },
      "standard:events": { version: "1.0.0", on: () => () => {} },
      "solana:signTransaction": {
        version: "1.0.0",
        supportedTransactionVersions: versions,
        signTransaction: (...all) => Promise.all(all.map(signOne)),
      },
    },
  };
  const register = () => {
    const tell = ({ register }) => register(wallet);
    window.dispatchEvent(Object.assign(new Event("wallet-standard:register-wallet"), { detail: tell }));
    window.addEventListener("wallet-standard:app-ready", (event) => tell(event.detail));
  };
  if (late) setTimeout(register, late);
  else register();
})();
