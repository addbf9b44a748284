"""A hosted launcher: hired by its signed advert, paid with the opening, and idle for whoever did not pay.

Chain, database, indexer and launcher are real; there are no agents, so a cluster that is paid for waits for one.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import market
import postgres
import pytest
from ionet.errors import InvalidInput
from ionet.generated.events import ClusterOpened
from ionet.launcher_advert import BadLauncher
from ionet.launcher_api import LauncherClient, UnknownCluster
from ionet.quote import Quote, quote
from ionet.renting import rental
from ionet.renting.hiring import hire
from ionet.wallet import write_keypair
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import SESSION, Command, until
from solders.pubkey import Pubkey

FEE = 1_000_000
PATIENCE = 120


@dataclass
class Hosted:
    """A launcher that takes a fee, and nodes to book."""

    here: market.Market
    asked: LauncherClient
    machines: list[market.Machine]

    async def made(self, *machines: market.Machine) -> Quote:
        return await quote(self.here.renter, [machine.address for machine in machines], 3_600)

    async def reason(self, cluster: Pubkey) -> str:
        try:
            return (await self.asked.cluster(cluster)).reason
        except UnknownCluster:
            return "unknown"

    async def becomes(self, cluster: Pubkey, wanted: str) -> None:
        async def so() -> bool:
            return await self.reason(cluster) == wanted

        await until(so, PATIENCE, f"{cluster} is {wanted}")

    async def signed(self) -> bool:
        return (await self.asked.launcher()).advert is not None


@contextlib.asynccontextmanager
async def hosted(server: EmbeddedPostgres, folder: Path) -> AsyncIterator[Hosted]:
    async with market.market(clock_factor=0.001) as here, postgres.database(server) as dsn:
        url = here.net.rpc_url
        session = folder / "session.json"
        write_keypair(session, SESSION)
        indexer = Command(
            folder / "indexer.log",
            *("--url", url, "indexer", "run", "--dsn", dsn, "--port", "0", "--poll", "0.3", "--json"),
        )
        launcher = Command(
            folder / "launcher.log",
            *("--url", url, "launcher", "run", "--dsn", dsn, "--session-key", str(session)),
            *("--listen", "127.0.0.1:0", "--fee", "0.001", "--no-close", "--json"),
        )
        try:
            for command in (indexer, launcher):
                command.start()
                await command.ready()
            async with LauncherClient(launcher.about["api"]) as asked:
                machines = [await here.add_machine(f"hosted {number}") for number in range(5)]
                made = Hosted(here, asked, machines)
                await until(made.signed, PATIENCE, "it has signed its advert")
                yield made
        finally:
            await launcher.end(signal.SIGTERM)
            await indexer.end(signal.SIGTERM)


async def test_a_hosted_launcher_serves_who_has_paid_it(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with hosted(server, tmp_path) as given:
        here, asked, (first, *others) = given.here, given.asked, given.machines
        renter, rpc = here.renter, here.renter.rpc

        # What it takes is the renter's to agree to, and whose key is named can be said beforehand.
        with pytest.raises(InvalidInput, match=r"takes 0.002 SOL for 2 nodes; --max-launcher-fee 0.002 agrees"):
            await hire(renter, asked, 2, most_fee=FEE)
        with pytest.raises(BadLauncher, match="has the session key"):
            await hire(renter, asked, 1, key=str(Pubkey.new_unique()))
        hired = await hire(renter, asked, 1, key=str(SESSION.pubkey()), most_fee=FEE)
        assert (hired.session_key, hired.fee) == (SESSION.pubkey(), FEE)
        assert hired.fuel > 890_880, "its key has no account yet, which has to be there to pay"

        # Paid with the opening, to the lamport; then it works for the cluster, and waits for an agent alone.
        made = await given.made(first)
        number, cluster = await rental.next_cluster(renter)
        await rental.open_for(renter, hired, made, number, 100 * market.USD)
        assert await rpc.balance(SESSION.pubkey()) == FEE + hired.fuel
        await rental.book(renter, cluster, made, [], print)
        await given.becomes(cluster, "agent_unknown")
        assert (await hire(renter, asked, 1)).fuel < hired.fuel - 890_880 + 1, "it has its rent now"

        # A node more than was paid for stops it.
        await here.book(cluster, others[0], duration=3_600)
        await given.becomes(cluster, "not_paid")

        # Nobody who names the key without paying is served, nor two clusters for one payment.
        opening = partial(
            renter.cluster.open,
            100 * market.USD,
            session_key=SESSION.pubkey(),
            session_expires_at=int(time.time()) + 7_200,
        )
        unpaid = (await opening()).event(ClusterOpened).cluster
        number, cluster = await rental.next_cluster(renter)
        second = renter.cluster.address(renter.address, number + 1)
        both = renter.batch(
            opening(number=number), opening(number=number + 1), renter.tokens.send_sol(SESSION.pubkey(), FEE)
        )
        await both
        for each, machine in zip((unpaid, cluster, second), others[1:], strict=True):
            await here.book(each, machine, duration=3_600)
            await given.becomes(each, "not_paid")
            seen = await asked.cluster(each)
            assert seen.detail == "0 SOL were paid at its opening, 0.001 is the fee"
