"""How `ionet node up` goes: look, propose, check, ask, send what is missing, say what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import typer
from ionet.cli import human
from ionet.cli.printing import print_fields, print_json, print_rows, printable, say, waiting
from ionet.cli.session import Preview, confirm, connect
from ionet.client import Client
from ionet.plan import Receipt
from ionet.wallet import Unsigned, Watch
from solders.keypair import Keypair

from ionet_agent.config import AgentConfig
from ionet_agent.up import checks, enrol, steps, unit
from ionet_agent.up.checks import Check
from ionet_agent.up.enrol import Missing, Standing
from ionet_agent.up.link import Link
from ionet_agent.up.machine import Kind, Machine, look
from ionet_agent.up.plan import Serving, Wishes, shown, terms_of
from ionet_agent.up.unit import Scope


@dataclass(frozen=True)
class Asked:
    """How it is to go. service: whose systemd is to run the agent, None for nobody's. link: pages through which the
    owner's wallet signs, None where it is at hand."""

    test: bool
    unsigned: bool
    yes: bool
    as_json: bool
    service: Scope | None
    link: str | None = None


class Up:
    """One run of the command."""

    def __init__(
        self,
        ctx: typer.Context,
        config: AgentConfig,
        serving: Serving,
        wishes: Wishes,
        indexer: str,
        asked: Asked,
    ) -> None:
        self._ctx, self._config, self._serving = ctx, config, serving
        self._wishes, self._indexer, self._asked = wishes, indexer, asked

    async def run(self) -> bool:
        """Whether the agent is to be started now. Raises whatever is not as it has to be, before anything is sent."""
        device = steps.device_of(self._serving.device_key)
        machine = look(self._serving.folder)
        async with connect(self._ctx, wallet=False) as client:
            with waiting("asking the chain"):
                standing = await enrol.look(client, device.pubkey())
                kind = await steps.kind(client, machine, standing, self._wishes)
                needed = await client.node.required_stake(kind.code, kind.processors)
            self._say_machine(machine, kind, standing)
        stake, lamports = standing.lacking_stake(needed, self._wishes.stake), standing.lacking_lamports()
        if standing.node is not None and not stake and not lamports:
            # Nobody has to sign anything, so no wallet is needed.
            async with connect(self._ctx, wallet=False) as client:
                tried = await self._check(client, kind, machine)
            receipts: Sequence[Receipt] = []
        elif self._asked.link is not None and standing.node is None:
            async with connect(self._ctx, wallet=False) as client:
                tried = await self._check(client, kind, machine)
                await self._by_link(client, device, Missing(kind, None, stake, lamports), Link(self._asked.link))
            receipts = []
        else:
            async with connect(self._ctx) as client:
                terms, lines = None, {}
                if standing.node is None:
                    terms, source = await terms_of(client, self._wishes, self._indexer, kind.code, device.pubkey())
                    lines = shown(terms, source)
                missing = Missing(kind, terms, stake, lamports)
                tried = await self._check(client, kind, machine)
                receipts = await self._send(client, device, standing, missing, lines)
        if self._asked.unsigned:
            return False
        self._say_done(standing, machine, kind, tried, receipts)
        if self._asked.service is not None:
            self._install(self._asked.service, str(standing.address))
            return False
        return not steps.is_held(self._config.base)

    async def _check(self, client: Client, kind: Kind, machine: Machine) -> Sequence[Check]:
        """Raises NotReady."""
        tried = await steps.tried(self._config, client, self._indexer, kind, machine, test=self._asked.test)
        if not (self._asked.as_json or self._asked.unsigned):
            rows = [check._asdict() for check in tried]
            print_rows(rows, ["name", "state", "detail", "remedy"], as_json=False)
        checks.require(tried)
        return tried

    async def _by_link(self, client: Client, device: Keypair, missing: Missing, link: Link) -> None:
        """Print a link, and wait until whoever opens it has signed what is missing, and the chain has it."""
        nobody, key = Client(client.rpc, Watch(device.pubkey())), device.pubkey()
        terms, source = await terms_of(nobody, self._wishes, self._indexer, missing.kind.code, key)
        standing = await enrol.look(client, key)

        async def made(owner: Client) -> Unsigned:
            wanted = replace(missing, terms=msgspec.structs.replace(terms, payout=owner.address))
            return await enrol.plan(owner, standing, device, wanted).unsigned()

        async def done() -> bool:
            return (await enrol.look(client, key)).node is not None

        lines = {**shown(terms, source), "payout": "the wallet that signs"}
        preview = _preview(nobody, replace(missing, terms=terms), lines)
        texts = [f"open this in the owner's wallet, and give it to nobody else: {link.url}"]
        texts.append(f"or on a phone: {link.for_phone}")

        def tell(*lines: str) -> None:
            for text in lines:
                say(printable(text), err=True)

        tell(*preview.lines)
        with waiting("waiting for the owner's signature"):
            await link.until(done, made, client, lambda: tell(*texts), tell)

    async def _send(
        self, client: Client, device: Keypair, standing: Standing, missing: Missing, lines: dict[str, str]
    ) -> Sequence[Receipt]:
        """What the chain lacks, once the owner agrees; or print it for the owner to sign elsewhere."""
        if self._asked.unsigned:
            plan = enrol.plan(client, standing, device, missing)
            print_fields(msgspec.to_builtins(await plan.unsigned()), as_json=self._asked.as_json)
            return []
        confirm(_preview(client, missing, lines), quiet=self._asked.as_json, yes=self._asked.yes)
        with waiting("waiting for the chain"):
            return await enrol.send(client, standing, device, missing)

    def _install(self, scope: Scope, node: str) -> None:
        """Show the unit, and have systemd run it once the owner agrees."""
        name = f"ionet-node-{node[:8]}.service"
        path, text = unit.file_of(scope, name), unit.text(scope, self._serving.command(), node)
        preview = Preview((f"{path}:", *text.splitlines()), "Write and start this unit?")
        confirm(preview, quiet=self._asked.as_json, yes=self._asked.yes)
        unit.write(path, text)
        unit.start(scope, name)

    # -- what is said

    def _say_machine(self, machine: Machine, kind: Kind, standing: Standing) -> None:
        if self._asked.as_json or self._asked.unsigned:
            return
        node = f"{standing.address}{'' if standing.node is None else ' (registered)'}"
        print_fields({**machine.shown, "node": node, "model": f"{kind.processors} x {kind.name}"}, as_json=False)

    def _say_done(
        self, standing: Standing, machine: Machine, kind: Kind, tried: Sequence[Check], receipts: Sequence[Receipt]
    ) -> None:
        node = str(standing.address)
        if not self._asked.as_json:
            for receipt in receipts:
                say(f"{receipt.signature}  fee {human.money(receipt.fee, 'SOL')}")
            say(f"{node} is complete: `ionet node status {node}` says how it does")
            return
        told: dict[str, Any] = {
            "node": node,
            "model": kind.name,
            "processors": kind.processors,
            "machine": machine.shown,
            "checks": [check._asdict() for check in tried],
            "transactions": [str(receipt.signature) for receipt in receipts],
            "command": self._serving.command(),
        }
        print_json(told)


def _preview(client: Client, missing: Missing, lines: dict[str, str]) -> Preview:
    """What is about to be sent."""
    said = [f"{name}: {value}" for name, value in lines.items()]
    if missing.stake:
        said.append(f"stake: {human.money(missing.stake, 'IO')}, which leaves again after a cooldown")
    if missing.lamports:
        said.append(f"for the device's fees: {human.money(missing.lamports, 'SOL')}")
    what = f"Register {missing.kind.processors} x {missing.kind.name}" if missing.terms else "Send what is missing"
    return Preview(tuple(said), f"{what}, from {client.address}?")
