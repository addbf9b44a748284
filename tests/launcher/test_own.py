"""What a launcher without a database sees of its clusters, on a real chain, and what it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import market
from ionet.client import Client
from ionet.generated.events import ClusterOpened
from ionet_launcher.keeping import Move
from ionet_launcher.own_chain import OwnChain
from ionet_launcher.own_shown import OwnShown
from ionet_launcher.own_store import OwnStore
from ionet_launcher.phases import ClusterPhase, Reason
from leases import SESSION
from solders.pubkey import Pubkey


@dataclass
class Own:
    """A cluster of the renter's that names the launcher's key."""

    here: market.Market
    client: Client
    file: Path
    cluster: Pubkey

    def store(self) -> OwnStore:
        """As a process has it that has just started."""
        return OwnStore(OwnChain(self.client), self.file, list)

    async def book(self, name: str) -> tuple[market.Machine, Pubkey]:
        machine = await self.here.add_machine(name)
        [lease] = await self.here.book(self.cluster, machine, duration=3_600)
        return machine, lease


@contextlib.asynccontextmanager
async def own(folder: Path) -> AsyncIterator[Own]:
    async with market.market(clock_factor=0.001) as here, Client(here.net.rpc_url, SESSION) as client:
        opening = here.renter.cluster.open(100 * market.USD, session_key=SESSION.pubkey(), session_expires_at=2**40)
        cluster = (await opening).event(ClusterOpened).cluster
        yield Own(here, client, folder / "clusters.json", cluster)


async def test_it_works_from_the_chain_and_goes_on_where_a_killed_one_was(tmp_path: Path) -> None:
    async with own(tmp_path) as given:
        store, name = given.store(), str(given.cluster)
        assert (await store.plan(), await store.claim(9)) == (0, []), "nothing is booked"
        machine, lease = await given.book("first")
        assert (await store.plan(), await store.plan()) == (1, 0)
        [held] = await store.claim(9)
        assert (held.row.cluster, held.row.phase, held.row.leases) == (name, ClusterPhase.PLANNED, [str(lease)])
        assert await store.claim(9) == [], "it is in one hand"
        await held.add_members({str(lease): str(machine.address)})
        await held.set_head(str(lease))
        await held.set_troubles([(str(lease), str(machine.address), Reason.AGENT_REFUSED, "why")])
        held.live = 1
        await held.move(Move(ClusterPhase.JOINING, 0, Reason.AGENT_REFUSED, "why", in_trouble=True))

        # What is known before readiness, and from its event on.
        assert (await held.booked([str(lease)]))[str(lease)].report_hash is None
        await given.here.start(lease, machine)
        known = (await held.booked([str(lease)]))[str(lease)]
        assert known.report_hash is not None
        assert len(bytes.fromhex(known.report_hash)) == 32

        # Killed: the next one does nothing before it has looked, and knows what was asked of whom, and since when.
        again = given.store()
        assert await again.claim(9) == []
        await again.plan()
        [held] = await again.claim(9)
        row = held.row
        assert (row.phase, row.reason, row.head) == (ClusterPhase.JOINING, Reason.AGENT_REFUSED, str(lease))
        assert await held.members() == {str(lease): str(machine.address)}
        assert [*row.troubles, *row.opened] == [str(lease)] * 2
        await held.move(Move(ClusterPhase.RUNNING, 0))
        seen = await OwnShown(again, SESSION.pubkey()).cluster(name, "")
        assert seen is not None
        assert (seen.phase, seen.live, [one.status for one in seen.members]) == ("running", 1, ["active"])
        assert (seen.members[0].role, seen.members[0].trouble is not None) == ("head", True)

        # A file that is none costs its history only.
        given.file.write_text("{")
        lost = given.store()
        assert await lost.plan() == 1
        [held] = await lost.claim(9)
        assert (held.row.phase, held.row.leases) == (ClusterPhase.PLANNED, [str(lease)])


async def test_one_that_is_over_starts_over_only_for_a_new_booking(tmp_path: Path) -> None:
    async with own(tmp_path) as given:
        store = given.store()
        await given.book("first")
        await store.plan()
        [held] = await store.claim(9)
        await held.move(Move(ClusterPhase.STOPPED, 0, Reason.EXPIRED))
        assert (await store.plan(), await store.claim(9)) == (0, [])
        assert store.is_needed, "its cluster is on the chain"
        _, second = await given.book("second")
        assert await store.plan() == 1
        [held] = await store.claim(9)
        assert (held.row.phase, str(second) in held.row.leases) == (ClusterPhase.PLANNED, True)
        await held.release()
        [again] = await store.claim(9)
        await again.move(Move(ClusterPhase.FAILED, 0))
        events = await OwnShown(store, SESSION.pubkey()).events(str(given.cluster))
        assert [one.phase for one in events] == ["failed", "planned", "stopped", "planned"]
