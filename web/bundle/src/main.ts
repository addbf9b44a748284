// The wallet of a page: found, connected, and at hand for every form that is to be signed.

import type { WalletAccount } from "@wallet-standard/base";
import { Act, type Signer } from "./act";
import { remembered } from "./sent";
import { connect, lastChosen, watch, type Usable } from "./wallets";

function start(bar: HTMLElement): void {
  const [wallets, accounts] = [bar.querySelector<HTMLSelectElement>("[data-wallets]")!, bar.querySelector<HTMLSelectElement>("[data-accounts]")!];
  const [button, said] = [bar.querySelector<HTMLButtonElement>("[data-connect]")!, bar.querySelector<HTMLElement>("[data-say]")!];
  let found: Usable[] = [];
  let wallet: Usable | undefined;
  let open: readonly WalletAccount[] = [];

  const signer = (): Signer | undefined => {
    const account = open.find((each) => each.address === accounts.value);
    return wallet && account && { wallet, account };
  };
  const acts = [...document.querySelectorAll<HTMLFormElement>("form[data-expected]")].map((form) => new Act(form, signer));
  acts[0]?.resume(remembered());
  const forget = () => acts.forEach((act) => act.forget());

  const use = (chosen: Usable, given: readonly WalletAccount[]) => {
    forget();
    [wallet, open] = [chosen, given];
    accounts.replaceChildren(...given.map((account) => new Option(account.label ? `${account.label}: ${account.address}` : account.address, account.address)));
    accounts.hidden = given.length === 0;
    bar.dataset.state = given.length ? "connected" : "locked";
    said.textContent = given.length ? `Connected to ${chosen.name}.` : `${chosen.name} gave no account: unlock it and connect again.`;
    document.dispatchEvent(new CustomEvent("account", { detail: accounts.value }));
  };

  const reach = async (chosen: Usable, silent: boolean) => {
    try {
      const given = await connect(chosen, silent);
      if (given.length || !silent) use(chosen, given);
    } catch (error) {
      if (silent) return;
      bar.dataset.state = "locked";
      said.textContent = `${chosen.name} did not connect: ${error instanceof Error ? error.message : String(error)}`;
    }
  };

  watch((now) => {
    found = now;
    wallets.replaceChildren(...now.map((each) => new Option(each.name)));
    wallets.hidden = now.length < 2;
    button.disabled = now.length === 0;
    if (!wallet) said.textContent = now.length ? "" : "No wallet was found in this browser.";
    const last = now.find((each) => each.name === lastChosen());
    if (last && !wallet) {
      wallets.value = last.name;
      void reach(last, true);
    }
  });
  button.addEventListener("click", () => {
    const chosen = found[wallets.selectedIndex];
    if (chosen) void reach(chosen, false);
  });
  accounts.addEventListener("change", () => {
    forget();
    document.dispatchEvent(new CustomEvent("account", { detail: accounts.value }));
  });
  bar.hidden = false;
}

const bar = document.querySelector<HTMLElement>("[data-wallet-bar]");
if (bar) start(bar);
