"""A cluster for the length of a block, for programs and notebooks.

async with ionet.cluster("H100", gpus=8, hours=2) as cluster:
    ray = await cluster.ray()  # connected to it: what it computes is computed there
    done = await cluster.run("python job.py", workdir=Path("."))

with ionet.cluster_sync("H100", gpus=8, hours=2) as cluster:
    done = cluster.run("python job.py", workdir=Path("."))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.api.nodes import DEFAULT_API
from ionet.client import Client
from ionet.launcher_api import LauncherClient
from ionet.node_search import Found, search
from ionet.quote import quote
from ionet.renting import rental
from ionet.renting.blocking import Blocking
from ionet.renting.bundle import Output, job
from ionet.renting.credentials import written
from ionet.renting.hiring import hire
from ionet.renting.ray_here import Way, connected
from ionet.renting.task import Resources, Task, wish_of
from ionet.renting.watch import beside, until_over
from ionet.wallet import KeypairSigner, read_keypair
from ionet.wish import DEFAULT_CURRENCY

Tell = Callable[[str], None]


class Done(NamedTuple):
    """What a job came to: its exit code, what it printed, the files that were fetched."""

    exit_code: int
    output: str
    files: list[Path]


class RunningCluster:
    """A cluster whose meters run."""

    def __init__(
        self,
        client: Client,
        wallet: Keypair,
        address: Pubkey,
        api: str,
        launcher: LauncherClient,
        stack: AsyncExitStack,
    ) -> None:
        self._client, self._wallet, self._api, self._launcher = client, wallet, api, launcher
        self._stack = stack
        self.address = address

    async def run(
        self,
        command: str,
        *,
        workdir: Path | None = None,
        envs: Mapping[str, str] | None = None,
        results: Sequence[str] = (),
        to: Path = Path("ionet-results"),
        tell: Tell | None = None,
    ) -> Done:
        """Run a shell's command beside the cluster's head. tell: gets its output as it comes.

        workdir: goes along; results: patterns of files that are fetched into `to`. Raises NodeLost where the
        head's is gone, JobFailed, BadResults, what the agent refuses with, and InvalidInput for files that cannot be
        sent.
        """
        sent = job([command], workdir, {}, envs or {}, results)
        output, pieces = Output(), list[str]()

        def take(text: str) -> None:
            shown = output.feed(text)
            pieces.append(shown)
            if tell is not None:
                tell(shown)

        async with rental.head_of(self._client, self._wallet, self.address, self._api) as agent:
            following = rental.run_job(agent, sent, take, patience_secs=rental.WATCHED_JOB_SECS)
            code = await beside(self._launcher, self.address, following, lambda _: None)
        return Done(code, "".join([*pieces, output.end()]), output.unpack(to))

    async def ray(self, tell: Tell = lambda _: None) -> Any:
        """The module `ray`, connected to the cluster until the block ends: what it computes is computed there.

        This process's own Ray has to be of the cluster's version, and Python too. Raises ConfigError, what Ray raises,
        and what the agent refuses with.
        """
        way = Way(self._client.rpc.url, self._wallet, self.address, self._api)
        return await self._stack.enter_async_context(connected(way, tell))

    async def environment(self, folder: Path) -> dict[str, str]:
        """What `ray.init()` needs in the environment; token and certificates are written to `folder`."""
        async with rental.head_of(self._client, self._wallet, self.address, self._api) as agent:
            return written(await agent.credentials(), folder)


@asynccontextmanager
async def cluster(
    model: str,
    *,
    gpus: int = 1,
    nodes: int = 1,
    hours: float | str = 1,
    max_price: float | str | None = None,
    country: str | None = None,
    min_score: float | None = None,
    isolation: str | None = None,
    gpu_memory: float | str | None = None,
    max_latency: float | None = None,
    currency: str = DEFAULT_CURRENCY,
    url: str = "http://127.0.0.1:8899",
    keypair: str | Path = "~/.config/solana/id.json",
    api: str = DEFAULT_API,
    launcher: str = "http://127.0.0.1:8081",
    launcher_key: str | None = None,
    max_launcher_fee: int = 0,
    tell: Tell = lambda _: None,
) -> AsyncIterator[RunningCluster]:
    """Find, pay, book, wait; at the end of the block end, settle and close, however it ends.

    gpus: of each node. max_price: dollars per processor-hour. gpu_memory: GB of each GPU. max_latency: milliseconds
    there and back. IOSD that the wallet lacks is minted by burning IO. launcher_key: the session key that the launcher
    must have. max_launcher_fee: lamports that it may take in all, beside what its transactions cost. tell: gets a line
    for each change, also of a node that is lost meanwhile. Raises NotEnoughNodes, NeverRan, and what chain, indexer and
    launcher answer.
    """
    wanted = Resources(f"{model}:{gpus}", country, max_price, min_score, isolation, currency, gpu_memory, max_latency)
    wallet = read_keypair(keypair)
    async with Client(url, KeypairSigner(wallet)) as client, LauncherClient(launcher) as asked:
        wish = wish_of(Task(resources=wanted, num_nodes=nodes, hours=hours), await client.network.model_names())
        found = await search(api, wish)
        if len(found.candidates) < nodes:
            raise rental.NotEnoughNodes(_why(found, nodes))
        chosen = [Pubkey.from_string(node.node) for node in found.candidates[:nodes]]
        made = await quote(client, chosen, wish.secs, wish.currency)
        # Before anything is paid.
        hired = await hire(client, asked, nodes, key=launcher_key, most_fee=max_launcher_fee)
        if wish.currency == "IOSD" and (missing := (await rental.missing_iosd(client, made.total))[0]):
            await client.iosd.mint_exact(missing)
        number, address = await rental.next_cluster(client)
        await rental.open_for(client, hired, made, number)
        try:
            await rental.book(client, address, made, found.candidates[nodes:], tell)
            await rental.until_running(client, asked, address, tell)
            watching = asyncio.create_task(until_over(asked, address, tell))
            try:
                async with AsyncExitStack() as stack:
                    yield RunningCluster(client, wallet, address, api, asked, stack)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        finally:
            await rental.end(client, address, tell, wait=True)


def _why(found: Found, wanted: int) -> str:
    reasons = "; ".join(f"{each.nodes} {each.why}" for each in found.removed)
    return f"{len(found.candidates)} of {wanted}{f': {reasons}' if reasons else ''}"


@wraps(cluster)
def cluster_sync(*arguments: Any, **named: Any) -> Blocking:
    """`cluster` for code without `async`."""
    return Blocking(cluster(*arguments, **named))
