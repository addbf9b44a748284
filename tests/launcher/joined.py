"""A cluster on both machines of a lab, joined in a network of its own: its job, and what is left once it is over."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import market
import postgres
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterClosed
from ionet.overlay import address_of
from ionet_agent import processes
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.lab import LabStack, lab_stack
from launcher.stack import NodeProcess, ray_mains, until
from launcher.test_stack import end, has_status, is_phase, proven, stopped
from netlab import GATEWAY, PUBLIC
from solders.pubkey import Pubkey

DURATION, INTERVAL = 90, 3
# Ray may take minutes on a busy machine, and answers are late there.
FAR = ("--max-latency-ms", "5000")
LONG = 400

JOB = """
import json, os, socket, ray
ray.init(logging_level="error", log_to_driver=False)

def reaches(address, port):
    try:
        socket.create_connection((address, port), 2).close()
    except ConnectionRefusedError:
        pass
    except OSError:
        return False
    return True

@ray.remote(num_gpus=0, num_cpus=0)
def there(places):
    return os.environ["IONET_LEASE"], [place for place in places if reaches(*place)]

asked = [there.options(label_selector={"ionet-lease": lease}).remote(PLACES) for lease in LEASES]
told = dict(ray.get(asked, timeout=60))
alive = [node["Labels"]["ionet-lease"] for node in ray.nodes() if node["Alive"]]
print("answer:", json.dumps([told, alive]))
"""

# Typed on the renter's machine: Ray's dashboard, on the head's member, answers through a tunnel.
TUNNEL = """
import asyncio, sys, urllib.request
from pathlib import Path
from ionet.agent_ports import Port
from ionet.client import Client
from ionet.renting.tunnel import Forward, Head, tunnel
from ionet.wallet import read_keypair
from solders.pubkey import Pubkey

def asked(url, token):
    request = urllib.request.Request(f"{url}/api/version", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status

async def main(url, keypair, cluster, place, folder):
    wallet, key = read_keypair(keypair), Pubkey.from_string(cluster)
    async with Client(url, wallet) as client:
        head, lease = Head(client, wallet, key, ""), (await client.cluster.get(key)).head_lease
        node = (await client.cluster.head(key)).node
        head._found = ((place,), (await client.node.get(node)).device_key, node, str(lease))
        async with tunnel(head, [Forward(0, Port.DASHBOARD)], Path(folder), print) as made:
            token = Path(folder, "token").read_text()
            print("answered", await asyncio.to_thread(asked, made.dashboard, token))

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def open_folder() -> Iterator[Path]:
    """Not pytest's own, into which an ordinary user cannot look."""
    made = Path(tempfile.mkdtemp(prefix="networks-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@asynccontextmanager
async def lab(
    server: EmbeddedPostgres,
    clock: float,
    user: tuple[str, ...] = (),
    *,
    random_ports: bool = True,
    options: tuple[str, ...] = FAR,
    tools: Path | None = None,
) -> AsyncIterator[LabStack]:
    """With agents of root, or of an ordinary user. options: the launcher's. tools: of `lab_stack`."""
    with open_folder() as folder:
        async with (
            market.market(slot_ms=100, clock_factor=clock) as founded,
            postgres.database(server) as dsn,
            lab_stack(
                founded, dsn, folder, random_ports=random_ports, launcher_options=options, user=user, tools=tools
            ) as made,
        ):
            yield made


@dataclass
class Joined:
    """A cluster whose meters run, or soon do. tags: of all that was ever started for its members."""

    lab: LabStack
    cluster: Pubkey
    leases: list[Pubkey]
    tags: list[str] = field(default_factory=list)

    async def runs(self) -> None:
        """Until all meters run."""
        await until(partial(has_status, self.lab, self.leases, LeaseStatus.ACTIVE), LONG, "meters run")
        self.remember()

    def remember(self) -> None:
        self.tags += self.lab.tags()

    async def head(self) -> NodeProcess:
        found = await self.lab.market.renter.fetch(Cluster, self.cluster)
        return self.lab.nodes[self.leases.index(found.head_lease)]

    async def worker(self) -> NodeProcess:
        head = await self.head()
        return next(node for node in self.lab.nodes if node is not head)

    async def job(self) -> dict[str, list[str]]:
        """Lease → which places a task on its member reaches, of the others, of the owner's network and in public; empty
        where there is no such answer, or members are there that should not be."""
        places = [(address_of(str(lease)), 9) for lease in self.leases]
        places += [(GATEWAY, 9), ("192.168.1.2", 7444), (PUBLIC, 7443), ("127.0.0.1", 7444)]
        script = f"LEASES, PLACES = {list(map(str, self.leases))!r}, {places!r}\n{JOB}"
        try:
            said = await self.lab.renter_command(
                await self.head(), "run", str(self.cluster), script=script.encode(), within=180
            )
        except TimeoutError:  # Ray waits for long where a member was away
            return {}
        answer = json.loads(said or "{}")
        lines = answer.get("output", "").splitlines()
        found = [line.removeprefix("answer: ") for line in lines if line.startswith("answer: ")]
        if answer.get("exit_code") != 0 or not found:
            return {}
        told, alive = json.loads(found[0])
        if sorted(alive) != sorted(map(str, self.leases)):
            return {}
        return {lease: sorted(address for address, _ in reached) for lease, reached in told.items()}

    async def works(self) -> bool:
        """Whether a job runs on both members and reaches both, and nothing else of the owners' or in public."""
        # What is refused on the member's own loopback is its own, and nobody's there.
        reached = sorted([*(address_of(str(lease)) for lease in self.leases), "127.0.0.1"])
        return await self.job() == {str(lease): reached for lease in self.leases}

    async def tunnelled(self) -> str:
        """What a tunnel into the member's own network prints, opened from the renter's machine."""
        lab = self.lab
        _, place = lab.way(await self.head())[0]
        words = (lab.renter_url, str(lab.folder / "renter.json"), str(self.cluster), place, str(lab.folder / "tunnel"))
        child = await asyncio.create_subprocess_exec(
            *(*lab.renter_prefix, sys.executable, "-c", TUNNEL, *words), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(child.communicate(), LONG)
        return output.decode()

    async def is_one(self) -> None:
        """No lease and no member is there twice."""
        chain = self.lab.market.renter
        assert (await chain.fetch(Cluster, self.cluster)).leases_open == len(self.leases)
        running = [await chain.fetch(Lease, lease) for lease in self.leases]
        assert [lease.status for lease in running] == [LeaseStatus.ACTIVE] * len(running), running
        booked = [(await chain.fetch(Node, node.machine.address)).current_lease for node in self.lab.nodes]
        assert booked == self.leases
        rows = [row for row in await self.lab.clusters() if row["cluster"] == str(self.cluster)]
        assert len(rows) == 1
        assert [len(ray_mains(node.base)) for node in self.lab.nodes] == [1, 1]

    async def ends(self, *, whole: bool = True) -> int:
        """Ended by the renter: nothing of it is left, and its money is exact to the unit. Returns what was paid.

        whole: every second of it is proven.
        """
        lab, renter = self.lab, self.lab.market.renter
        self.remember()
        await end(lab, self.leases)
        await until(partial(stopped, lab.nodes), LONG, "members stop at the end")
        await until(partial(is_phase, lab, self.cluster, "stopped"), LONG, "the launcher is done")
        await until(self._left_nothing, 60, "the networks are left")
        assert [processes.tagged(tag) for tag in self.tags] == [[] for _ in self.tags]
        assert [ray_mains(node.base) for node in lab.nodes] == [[], []]
        if whole:
            for lease in self.leases:
                await until(partial(proven, lab, lease), LONG, "every second is proven")
        assert [await lab.repeated_proofs(lease) for lease in self.leases] == [0, 0]
        await lab.settle(self.cluster, *self.leases)
        closed = (await renter.cluster.close(self.cluster)).event(ClusterClosed)
        assert closed.deposit == closed.paid + closed.fees + closed.refunded
        assert await renter.find(Cluster, self.cluster) is None
        return closed.paid

    async def _left_nothing(self) -> bool:
        return self.lab.leftovers() == []


async def booked(lab: LabStack) -> Joined:
    return Joined(lab, *await lab.book(lab.nodes, duration=DURATION))


async def is_joined(node: NodeProcess) -> bool:
    """Whether its agent was told of the others."""
    return (node.base / "overlay" / "network.json").exists()
