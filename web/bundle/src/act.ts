// One form whose content a wallet signs: asked for, shown, signed at the click, sent, followed.

import type { WalletAccount } from "@wallet-standard/base";
import { agrees, Disagrees, sameActs, type Expected } from "./agree";
import { isShown, prepare, Problem, submit, type Done, type Prepared } from "./ask";
import { fromBase64, read, signature, toBase64, Unreadable, withSignature, type Transaction } from "./wire";
import { makeDevice, signWith } from "./device";
import { sign, version, type Usable } from "./wallets";

export interface Signer {
  wallet: Usable;
  account: WalletAccount;
}

interface Shown {
  prepared: Prepared;
  transaction: Transaction;
  until: number; // of this clock, in ms
}

const AGAIN_MS = 400; // between looks whether the pages know a slot
const LOOKS = 150;
const REBUILD = 0.4; // of its life: then what is shown is built again

// What a person can do about each kind of problem.
const ADVICE: Record<string, string> = {
  expired: "It was signed too late and can no longer land: nothing happened. Review it again.",
  "chain-away": "The chain does not answer. Nothing was signed; try again in a moment.",
  "chain-refused": "The chain's node refuses to answer. Nothing was signed; try again in a moment.",
  "actions-away": "What builds transactions does not answer. Nothing was signed; try again in a moment.",
  "pages-away": "These pages do not answer. Nothing was sent; try again in a moment.",
  "too-many-requests": "Too many requests from your address: wait a moment.",
  late: "The chain took too long to answer. It may still land: look at your wallet before you repeat it.",
};

export class Act {
  private readonly expected: Expected;
  private readonly kind: string;
  private readonly said: HTMLElement;
  private readonly shownIn: HTMLElement;
  private shown: Shown | undefined;
  private clock: number | undefined;
  private busy = false;
  private readonly keys = new Map<string, CryptoKey>(); // that sign beside the wallet, by address
  private saved = true;

  constructor(private readonly form: HTMLFormElement, private readonly signer: () => Signer | undefined) {
    this.expected = JSON.parse(form.dataset.expected!) as Expected;
    this.kind = form.dataset.kind!;
    this.said = form.querySelector<HTMLElement>("[data-say]")!;
    this.shownIn = form.querySelector<HTMLElement>("[data-shown]")!;
    form.addEventListener("submit", (event) => {
      if ((event.submitter as HTMLButtonElement | null)?.name) return; // for a phone: another page
      event.preventDefault();
      void this.guarded(() => this.review());
    });
    form.addEventListener("input", () => this.forget());
    this.offerDevice();
  }

  // What was shown is of other fields, or of another wallet.
  forget(): void {
    window.clearInterval(this.clock);
    this.shown = undefined;
    this.shownIn.replaceChildren();
  }

  private say(state: string, words: string, ...more: Node[]): void {
    this.form.dataset.state = state;
    this.said.replaceChildren(words, ...more);
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.form.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      this.forget();
      this.say(...explained(error));
    } finally {
      this.busy = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  private fields(): Map<string, string> {
    return new Map([...new FormData(this.form)].map(([name, value]) => [name, String(value).trim()]));
  }

  private async review(): Promise<void> {
    const signer = this.signer();
    if (!signer) {
      this.say("no-wallet", "Connect a wallet first.");
      return;
    }
    if (!this.saved) {
      this.say("unsaved", "Save the device key first: nobody can make it again.");
      return;
    }
    this.forget();
    this.say("building", "Building…");
    await this.build(signer);
    this.say("review", "Nothing is signed yet.");
  }

  private async build(signer: Signer): Promise<void> {
    const fields = this.fields();
    const account = signer.account.address;
    const prepared = await prepare(this.kind, { ...Object.fromEntries(fields), account, version: version(signer.wallet) });
    const asked = { account, fields, signers: [...this.keys.keys()], moves: prepared.moves };
    const transaction = agrees(fromBase64(prepared.transaction), this.expected, asked);
    this.shown = { prepared, transaction, until: performance.now() + prepared.secs_left * 1000 };
    this.draw(signer);
  }

  private draw(signer: Signer): void {
    const { prepared } = this.shown!;
    const list = document.createElement("dl");
    list.className = "moves";
    for (const move of prepared.moves) {
      const [name, value] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = move.token === "SOL" ? "SOL, with fee and rent" : move.token;
      value.textContent = move.amount;
      value.title = `${move.units} base units`;
      list.append(name, value);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.sign = "";
    button.addEventListener("click", () => void this.guarded(() => this.sign(signer)));
    const title = document.createElement("p");
    title.textContent = `${prepared.title}. Your wallet gains and loses:`;
    this.shownIn.replaceChildren(title, list, button);
    window.clearInterval(this.clock);
    this.clock = window.setInterval(() => this.tick(button, signer), 250);
    this.tick(button, signer);
  }

  // The seconds left stand on the button; what nears its end is built again while nobody signs it.
  private tick(button: HTMLButtonElement, signer: Signer): void {
    if (!this.shown) return;
    const left = (this.shown.until - performance.now()) / 1000;
    button.textContent = `Sign with ${signer.wallet.name} (${Math.max(0, Math.floor(left))} s left)`;
    if (left < this.shown.prepared.secs_left * REBUILD && !this.busy && !document.hidden) void this.guarded(() => this.build(signer));
  }

  private async sign(signer: Signer): Promise<void> {
    const { prepared, transaction } = this.shown!;
    if (!signer.account.chains.includes(prepared.chain)) {
      this.say("wrong-network", `This account is not for ${prepared.chain}: choose that network in ${signer.wallet.name}, or another account.`);
      return;
    }
    this.say("signing", `Look at it in ${signer.wallet.name}…`);
    let signed: Transaction;
    try {
      signed = read(await sign(signer.wallet, signer.account, transaction.bytes, prepared.chain));
    } catch (error) {
      if (error instanceof Unreadable) throw error;
      this.forget();
      this.say("refused", `Not signed, nothing was sent: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    sameActs(transaction, signed, this.expected.budget);
    window.clearInterval(this.clock);
    this.shownIn.querySelector("button")?.remove();
    this.say("sending", "Sent; waiting until it is confirmed…");
    const done = await submit(toBase64(await this.countersigned(signed)));
    if (done.signature !== signature(signed)) throw new Disagrees("another transaction was sent than you signed");
    await this.follow(done);
  }

  // Keys of this page sign after the wallet, which may have changed budget and fee.
  private async countersigned(signed: Transaction): Promise<Uint8Array> {
    let bytes = signed.bytes;
    for (const [address, key] of this.keys) bytes = withSignature(read(bytes), address, await signWith(key, signed.message));
    return bytes;
  }

  // A key that this page makes stands in its field, and is to be saved before anything is signed with it.
  private offerDevice(): void {
    const place = this.form.querySelector<HTMLElement>("[data-device]");
    const field = this.form.querySelector<HTMLInputElement>("[name=device]");
    if (!place || !field) return;
    const save = place.querySelector<HTMLAnchorElement>("[data-save]")!;
    field.readOnly = true;
    field.value = "";
    place.hidden = false;
    place.querySelector("[data-make]")!.addEventListener("click", async () => {
      const device = await makeDevice();
      this.forget();
      this.keys.clear();
      this.saved = false;
      this.keys.set(device.address, device.key);
      field.value = device.address;
      save.href = URL.createObjectURL(device.file);
      save.hidden = false;
    });
    save.addEventListener("click", () => (this.saved = true));
  }

  private async follow(done: Done): Promise<void> {
    const link = document.createElement("a");
    link.href = `/transactions/${done.signature}`;
    link.textContent = "the transaction";
    this.form.dispatchEvent(new CustomEvent("done", { detail: done, bubbles: true }));
    this.say("confirmed", "Confirmed; these pages do not show it yet: ", link);
    for (let look = 0; look < LOOKS; look++) {
      if (await isShown(done.slot)) {
        this.say("done", "Confirmed: ", link);
        return;
      }
      await new Promise((later) => setTimeout(later, AGAIN_MS));
    }
    this.say("behind", "Confirmed. The indexer behind these pages is late and will show it later: ", link);
  }
}

function explained(error: unknown): [string, string] {
  if (error instanceof Disagrees || error instanceof Unreadable)
    return ["swapped", `Stopped: what came is not what this page asked for (${error.message}). Nothing was sent by it.`];
  if (error instanceof Problem) return [error.kind, ADVICE[error.kind] ?? error.message];
  return ["failed", error instanceof Error ? error.message : String(error)];
}
