"""`ionet demo`: the whole network on this machine, once through, with a real Ray job."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ionet.cli.parsing import tokens
from ionet.cli.printing import AsJson, print_json
from ionet.errors import InvalidInput
from ionet.trace import Occurrence
from rich.console import Console

from ionet_stack.stack import Stack

if TYPE_CHECKING:
    from ionet.ready import IndexerReady
    from solders.keypair import Keypair
    from solders.pubkey import Pubkey

    from ionet_stack.demo.books import Books
    from ionet_stack.demo.cast import Cast
    from ionet_stack.demo.story import Say

app = typer.Typer(help="The whole network on this machine, once through, with a real Ray job.")

SLOT_MS = 100


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Leave everything running until interrupted.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where keys, ledger, database and logs go; by default temporary.")
    ] = None,
    chain: Annotated[
        str | None, typer.Option(help="A fresh chain with both programs, e.g. a test validator; by default its own.")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Keypair file of the programs' upgrade authority on --chain.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deploy, register, stake, burn, book, compute, prove, dispute, slash, settle, trace, redeem; then the books."""
    if (chain is None) != (authority is None):
        raise InvalidInput("--chain and --authority go together")
    given = (chain, authority) if chain and authority else None
    asyncio.run(_run(folder, keep, Show(quiet=as_json), given))


class Show:
    """Progress for people: one line per finished step, a spinner while one runs. quiet: one JSON object at the end."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.console = Console(stderr=quiet, highlight=False)
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._status: Any = None

    @contextmanager
    def step(self, name: str) -> Iterator[Say]:
        """Time one step; the caller may say how far it is."""
        begun = time.monotonic()
        notes: list[str] = []

        def say(text: str) -> None:
            notes[:] = [text]
            if self._status is not None:
                self._status.update(f"{name}: {text}")

        if self.console.is_terminal:
            with self.console.status(name) as self._status:
                yield say
            self._status = None
        else:
            yield say
        self.seconds[name] = round(time.monotonic() - begun, 2)
        result = f"  [dim]{notes[0]}[/dim]" if notes else ""
        self.console.print(f"[green]✓[/green] {self.seconds[name]:6.1f} s  {name}{result}", soft_wrap=True)

    def note(self, text: str) -> None:
        """What somebody may want to do meanwhile."""
        self.console.print(f"           [dim]{text}[/dim]", soft_wrap=True)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started


async def _run(folder: Path | None, keep: bool, show: Show, given: tuple[str, Path] | None) -> None:
    """Run the story; whatever happens, no process is left behind. SIGTERM counts as Ctrl-C.

    given: address of a chain and keypair file of its upgrade authority, instead of a chain of its own.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    home = folder or Path(tempfile.mkdtemp(prefix="ionet-demo-"))
    home.mkdir(parents=True, exist_ok=True)
    # As root PostgreSQL runs as `nobody`, who must be able to pass through; keys are readable by their owner alone.
    home.chmod(0o755)
    stack = Stack(home, 0, 0, SLOT_MS)
    stack.logs.mkdir(exist_ok=True)
    finished = False
    try:
        await stack.whole(_tell(stack, show, keep, given))
        finished = True
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        with show.console.status("stopping") if show.console.is_terminal else _nothing():
            await stack.stop()
        if finished and folder is None:
            shutil.rmtree(home, ignore_errors=True)
        elif not finished:
            show.console.print(f"logs: {stack.logs}", soft_wrap=True)


async def _tell(stack: Stack, show: Show, keep: bool, given: tuple[str, Path] | None) -> None:
    from ionet.wallet import read_keypair
    from solders.keypair import Keypair

    from ionet_stack.demo.cast import SUPPLIERS, Cast

    session, devices = stack.key("session"), [Keypair() for _ in range(SUPPLIERS)]
    if given is None:
        authority = stack.key("authority")
        with show.step("local chain with both programs"):
            url = await stack.start_chain(authority, reset=True)
    else:
        url, authority = given[0], read_keypair(given[1])
    cast = Cast(url, authority, stack.key("keeper"))
    try:
        books, result, page = await _story(stack, cast, devices, session, url, show)
    finally:
        await cast.close()
    if show.quiet:
        print_json(_summary(books, result, show))
    else:
        show.console.print(books.table())
        show.console.print(f"done in {show.elapsed:.0f} s")
    if keep:
        show.console.print(f"running until interrupted: page {page}, chain {url}, logs {stack.logs}", soft_wrap=True)
        await asyncio.Event().wait()


async def _watchable(stack: Stack, url: str, show: Show) -> tuple[IndexerReady, str]:
    """The indexer, and the pages over it: all that follows can be watched there."""
    indexer = await stack.start_indexer(url, reset=True)
    page = await stack.start_web(str(indexer.api), 0)
    show.note(f"watch it: {page}")
    return indexer, page


async def _story(
    stack: Stack, cast: Cast, devices: list[Keypair], session: Keypair, url: str, show: Show
) -> tuple[Books, str, str]:
    from ionet.renting.rental import head_of

    from ionet_stack import fleet
    from ionet_stack.demo import books, frozen, story

    with show.step("network, mints, device models, wallets; database, indexer and API beside them") as say:
        (indexer, page), stake = await asyncio.gather(_watchable(stack, url, show), story.fund(cast, devices, session))
        say(f"API {indexer.api}")
    api = str(indexer.api)
    before = await cast.holdings()
    with show.step("three suppliers register a node each and stake to it") as say:
        nodes = await story.supply(cast, devices, stake)
        say(f"{tokens(stake, 'IO')} IO each")
    with show.step("an agent per node, the renter's launcher, a keeper") as say:
        (agents, _, levels), started, _ = await asyncio.gather(
            fleet.start_agents(stack, url, api, devices),
            stack.start_launcher(url, indexer.database),
            stack.start_keeper(url),
        )
        launcher = str(started.api)
        say(f"launcher at {launcher}; isolation of the renter's code: {levels}")
    with show.step("the renter burns IO for IOSD, finds three nodes and books them") as say:
        minted = await story.mint(cast)
        cluster, by_node = await story.rent(cast, len(nodes), api, launcher, say)
        leases = list(by_node.values())
        show.note(f"follow it: ionet --url {url} cluster status {cluster} --launcher {launcher} --watch")
        say(f"{tokens(minted.io_burned, 'IO')} IO → {tokens(minted.iosd_minted, 'IOSD')} IOSD")
    with show.step("Ray: head and two workers up, checked, accepted") as say:
        await story.until_active(cast.renter, cluster, launcher, say)
        # The lease accepted first is the head; the last of the others will go silent.
        head = (await cast.renter.client.cluster.get(cluster)).head_lease
        placed = sorted(((lease, node) for node, lease in by_node.items()), key=lambda pair: pair[0] != head)
        (_, at_head), (silent_lease, silent) = placed[0], placed[-1]
    with show.step("a blocked matrix product across the nodes, every block proven") as say:
        blocks = await story.run_job(head_of(cast.renter.client, cast.renter.key, cluster, api))
        say(f"{len(blocks)} blocks on {len({block.node for block in blocks})} nodes, product checked")
    frozen.freeze(agents[silent])
    with show.step("the renter disputes an interval; its agent defends it by itself and wins the bond") as say:
        defended = await story.dispute(cast.renter, session, head, api, say)
        say(f"interval {defended.interval} defended, {tokens(defended.bond_part, 'IOSD')} IOSD of bond")
    with show.step("one node goes silent; the keeper reports it, and it is slashed") as say:
        slashed = await story.reported(cast, silent_lease)
        say(f"{tokens(slashed.amount, 'IO')} IO, of it {tokens(slashed.to_reporter, 'IO')} to the reporter")
    with show.step("the renter ends; the keeper settles and closes; the rest goes back, fees are burned") as say:
        await story.end(cast.renter, leases)
        closed, bonds = await story.closed(cast, cluster, leases, say)
        say(f"{tokens(closed.paid, 'IOSD')} IOSD paid, {tokens(closed.refunded, 'IOSD')} returned")
    frozen.thaw(agents[silent])
    with show.step("a result traced from its hash to the chain") as say:
        traced = await _first_traced(cast, api, blocks, silent)
        say(f"{traced[0][:16]}… → interval {traced[1].interval} of lease {traced[1].lease}")
    with show.step("a supplier redeems half of what they earned") as say:
        redeemed = await story.redeem(cast, cast.suppliers[nodes.index(at_head)])
        say(f"{tokens(redeemed.iosd_burned, 'IOSD')} IOSD → {tokens(redeemed.io_minted, 'IO')} IO")
    with show.step("suppliers retire; the keeper brings their stake home"):
        await story.leave(cast, nodes)
        await books.nothing_left(cast, cluster, nodes)
    network = await cast.authority.client.network.get()
    found = books.Books(
        before,
        await cast.holdings(),
        await cast.authority.client.iosd.books(),
        network.io_genesis,
        closed,
        slashed,
        redeemed,
        defended,
        bonds,
    )
    found.check()
    return found, traced[0], page


async def _first_traced(cast: Cast, api: str, blocks: list[Any], silent: Pubkey) -> tuple[str, Occurrence]:
    """Trace a block of a node that kept proving; the silent one may never have put its results on the chain."""
    from ionet_stack.demo import story

    result = next(block.result for block in blocks if block.node != str(silent))
    return result, await story.trace(cast.keeper, api, result)


def _summary(books: Books, result: str, show: Show) -> dict[str, Any]:
    holdings = {name: {"io": str(item.io), "iosd": str(item.iosd)} for name, item in books.after.items()}
    return {
        "seconds": round(show.elapsed, 1),
        "steps": show.seconds,
        "traced": result,
        "holdings": holdings,
        "io_burned": str(books.io_burned),
        "iosd_minted": str(books.iosd.minted),
        "iosd_burned": str(books.iosd.fee_burned),
        "iosd_redeemed": str(books.iosd.redeemed),
        "io_redeemed": str(books.iosd.io_redeemed),
        "bond": str(books.bonds),
        "slashed": str(books.slashed.amount),
        "genesis": str(books.genesis),
    }


@contextmanager
def _nothing() -> Iterator[None]:
    yield
