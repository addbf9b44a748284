// One form whose content a wallet signs: asked for, shown, signed at the click, sent, followed.

import type { WalletAccount } from "@wallet-standard/base";
import { agrees, Disagrees, sameActs, type Expected } from "./agree";
import { behind, isUnsure, prepare, Problem, submit, type Done, type Prepared } from "./ask";
import { forget, remember, type Sent } from "./sent";
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
const PATIENCE_MS = 20_000; // until that is called late; then looks are rarer
const RARE_MS = 3_000;
const FAR_BEHIND = 50; // slots
const REBUILD = 0.4; // of its life: then what is shown is built again

// What a person can do about each kind of problem.
const ADVICE: Record<string, string> = {
  expired: "It was signed too late and can no longer land: nothing happened. Review it again.",
  "chain-away": "The chain does not answer. Nothing was signed; try again in a moment.",
  "chain-refused": "The chain's node refuses to answer. Nothing was signed; try again in a moment.",
  "actions-away": "What builds transactions does not answer. Nothing was signed; try again in a moment.",
  "pages-away": "These pages do not answer. Nothing was sent; try again in a moment.",
  "too-many-requests": "Too many requests from your address: wait a moment.",
  late: "The chain took too long to answer. Nothing was signed; try again in a moment.",
};

// Why nobody knows yet what came of it.
const UNSURE: Record<string, string> = {
  "pages-away": "These pages do not answer.",
  "actions-away": "What sends transactions does not answer.",
  "too-many-requests": "Too many requests from your address.",
};
const later = (ms: number) => new Promise((done) => setTimeout(done, ms));

export class Act {
  private readonly expected: Expected;
  private readonly kind: string;
  private readonly said: HTMLElement;
  private readonly shownIn: HTMLElement;
  private shown: Shown | undefined;
  private clock: number | undefined;
  private busy = false;
  private turn = 0;
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
    this.setBusy(true);
    try {
      await work();
    } catch (error) {
      this.forget();
      this.say(...explained(error));
    } finally {
      this.setBusy(false);
    }
  }

  // A click that would be lost is one that cannot be made: nobody signs what is being replaced. It is not `disabled`, which
  // would take a keyboard away from it.
  private setBusy(busy: boolean): void {
    this.busy = busy;
    this.form.setAttribute("aria-busy", String(busy));
    this.shownIn.querySelector("[data-sign]")?.setAttribute("aria-disabled", String(busy));
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
    const wasOn = this.shownIn.contains(document.activeElement);
    this.shownIn.replaceChildren(title, list, button);
    if (wasOn) button.focus(); // who is about to sign with a keyboard stays there
    window.clearInterval(this.clock);
    this.clock = window.setInterval(() => this.tick(button, signer), 250);
    this.tick(button, signer);
    void this.warn(prepared.slot);
  }

  // What is signed comes from the chain; what a person read on these pages before may be older.
  private async warn(slot: number): Promise<void> {
    const late = await behind(slot);
    if (!this.shown || (late !== null && late < FAR_BEHIND)) return;
    const note = document.createElement("p");
    note.className = "state waiting";
    note.dataset.behind = "";
    note.textContent = `${lag(late)} What stands here comes from the chain; what other pages show may be old.`;
    this.shownIn.querySelector("[data-behind]")?.remove();
    this.shownIn.append(note);
  }

  // The seconds left stand on the button; what nears its end is built again while nobody signs it.
  private tick(button: HTMLButtonElement, signer: Signer): void {
    if (!this.shown) return;
    const left = (this.shown.until - performance.now()) / 1000;
    button.textContent = `Sign with ${signer.wallet.name} (${Math.max(0, Math.floor(left))} s left)`;
    if (left >= this.shown.prepared.secs_left * REBUILD || this.busy || document.hidden) return;
    void this.guarded(() => this.build(signer));
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
    const transaction_ = toBase64(await this.countersigned(signed));
    await this.deliver({ signature: signature(signed), transaction: transaction_, title: prepared.title });
  }

  // What a page that was closed or whose chain was away has sent, and nobody knows what came of it.
  resume(all: Sent[]): void {
    if (!all.length) return;
    void this.guarded(async () => {
      for (const sent of all) await this.deliver(sent);
    });
  }

  // The same bytes land once, however often they are sent: until somebody knows whether they have.
  private async deliver(sent: Sent): Promise<void> {
    remember(sent);
    this.say("sending", `${sent.title}: sent; waiting until it is confirmed…`);
    for (;;) {
      try {
        const done = await submit(sent.transaction);
        forget(sent);
        if (done.signature !== sent.signature) throw new Disagrees("another transaction was sent than you signed");
        void this.follow(done, ++this.turn);
        return;
      } catch (error) {
        if (!isUnsure(error)) {
          forget(sent);
          throw error;
        }
        const why = UNSURE[error.kind] ?? "The chain does not answer.";
        this.say("unsure", `${why} What you signed may have been sent: do not sign it again. It is asked for until the chain says what came of it. Signature ${sent.signature}`);
        await later(RARE_MS);
      }
    }
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

  // Until these pages show it, or the form is used for something else.
  private async follow(done: Done, turn: number): Promise<void> {
    const links = [link(`/transactions/${done.signature}`, "the transaction")];
    const cluster = done.events.find((event) => event.name === "ClusterOpened")?.cluster;
    if (cluster) links.push(link(`/clusters/${cluster}`, "your cluster"));
    const shown = links.flatMap((each, place) => (place ? [document.createTextNode(", "), each] : [each]));
    this.form.dispatchEvent(new CustomEvent("done", { detail: done, bubbles: true }));
    this.say("confirmed", "Confirmed; these pages do not show it yet: ", ...shown);
    const patient = performance.now() + PATIENCE_MS;
    for (;;) {
      const late = await behind(done.slot);
      if (turn !== this.turn || !["confirmed", "behind"].includes(this.form.dataset.state!)) return;
      if (late === 0) {
        this.say("done", "Confirmed: ", ...shown);
        return;
      }
      const isLate = late === null || performance.now() > patient;
      if (isLate) this.say("behind", `Confirmed by the chain: nothing is lost. ${lag(late)} They will show it later: `, ...shown);
      await later(isLate ? RARE_MS : AGAIN_MS);
    }
  }
}

function link(path: string, words: string): HTMLAnchorElement {
  const made = document.createElement("a");
  [made.href, made.textContent] = [path, words];
  return made;
}

function lag(slots: number | null): string {
  return slots === null ? "The indexer behind these pages does not answer." : `The indexer behind these pages is ${slots} slots behind the chain.`;
}

function explained(error: unknown): [string, string] {
  if (error instanceof Disagrees || error instanceof Unreadable)
    return ["swapped", `Stopped: what came is not what this page asked for (${error.message}). Nothing was sent by it.`];
  if (error instanceof Problem) return [error.kind, ADVICE[error.kind] ?? error.message];
  return ["failed", error instanceof Error ? error.message : String(error)];
}
