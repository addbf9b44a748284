// One form whose content a wallet signs: asked for, shown, signed at the click, sent, followed.

import type { WalletAccount } from "@wallet-standard/base";
import { agrees, Disagrees, sameActs, type Expected } from "./agree";
import { isShown, prepare, Problem, submit, type Done, type Prepared } from "./ask";
import { read, signature, toBase64, fromBase64, Unreadable, type Transaction } from "./wire";
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

  constructor(private readonly form: HTMLFormElement, private readonly signer: () => Signer | undefined) {
    this.expected = JSON.parse(form.dataset.expected!) as Expected;
    this.kind = form.dataset.kind!;
    this.said = form.querySelector<HTMLElement>("[data-say]")!;
    this.shownIn = form.querySelector<HTMLElement>("[data-shown]")!;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.guarded(() => this.review());
    });
    form.addEventListener("input", () => this.forget());
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

  private fields(): Map<string, string[]> {
    const data = new FormData(this.form);
    return new Map([...new Set(data.keys())].map((name) => [name, data.getAll(name).map(String)]));
  }

  private async review(): Promise<void> {
    const signer = this.signer();
    if (!signer) {
      this.say("no-wallet", "Connect a wallet first.");
      return;
    }
    this.forget();
    this.say("building", "Building…");
    await this.build(signer);
    this.say("review", "Nothing is signed yet.");
  }

  private async build(signer: Signer): Promise<void> {
    const fields = this.fields();
    const asked = Object.fromEntries([...fields].map(([name, values]) => [name, values[0]!.trim()]));
    const prepared = await prepare(this.kind, { ...asked, account: signer.account.address, version: version(signer.wallet) });
    const transaction = agrees(fromBase64(prepared.transaction), this.expected, signer.account.address, fields, [], prepared.moves);
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
    const done = await submit(toBase64(signed.bytes));
    if (done.signature !== signature(signed)) throw new Disagrees("another transaction was sent than you signed");
    await this.follow(done);
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
