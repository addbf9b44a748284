"""The steps, in order. Each returns what the next ones need; every claim the demonstration makes is checked here."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.resources import as_file, files

import msgspec
from ionet.agent_api import AgentClient
from ionet.api.network import LOCAL_FEED_ID
from ionet.cli.parsing import tokens
from ionet.client import Client
from ionet.errors import IonetError, NotFound, ProgramError
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import IO_UNIT, USD_UNIT, Currency, LeaseStatus
from ionet.generated.events import (
    ClusterClosed,
    DisputeDefended,
    IosdMinted,
    IosdRedeemed,
    LeaseDisputed,
    LeaseSettled,
    NodeSlashed,
)
from ionet.generated.types import NodeTerms
from ionet.launcher_api import LauncherClient
from ionet.node_search import Found, search
from ionet.program import PROGRAM
from ionet.quote import quote
from ionet.renting import rental
from ionet.renting.bundle import Output, job
from ionet.renting.hiring import hire
from ionet.rules.challenges import challenge_answer
from ionet.rules.disputes import disputable, is_disputed
from ionet.rules.lease_time import final_at
from ionet.trace import NotTraced, Occurrence, fetch, verify
from ionet.wallet import KeypairSigner
from ionet.wish import Wish
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_stack.demo.cast import IO, IOSD, Cast, Party

# $3 per IO, and a confidence interval of three tenths of a percent.
PRICE, CONF = 3 * 10**8, 9 * 10**5
MODEL_NAME, PROCESSORS = "H100", 1
# Dollars per processor-hour; a short lease at this price still costs whole cents.
NODE_PRICE = 36 * USD_UNIT
# Long enough for a busy machine; whoever ends earlier pays for what was served.
DURATION_SECS = 180
IO_TO_BURN, BUDGET = 10 * IO_UNIT, 10 * USD_UNIT
ONLINE_WITHIN_SECS, ACTIVE_WITHIN_SECS, POLL_SECS = 60.0, 420.0, 0.3
DEFENDED_WITHIN_SECS, CLOSED_WITHIN_SECS = 30.0, 60.0

Say = Callable[[str], None]


class DemoFailed(IonetError):
    """the demonstration did not do what it promises"""


class Block(msgspec.Struct, frozen=True):
    """A line of the job's output: one block of the product."""

    block: tuple[int, int]
    node: str
    result: str


async def fund(cast: Cast, devices: list[Keypair], session: Keypair) -> int:
    """SOL for everybody, IO for suppliers and renter. Returns the stake a node needs."""
    await cast.airdrop(session.pubkey(), *(device.pubkey() for device in devices))
    await cast.authority.client.network.bootstrap(genesis_owner=cast.treasury.address)
    await cast.authority.client.oracle.post(LOCAL_FEED_ID, PRICE, conf=CONF)
    stake = await cast.authority.client.node.required_stake(await model_code(cast), PROCESSORS)
    for supplier in cast.suppliers:
        await cast.give_io(supplier, 2 * stake)
    await cast.give_io(cast.renter, 2 * IO_TO_BURN)
    return stake


async def model_code(cast: Cast) -> int:
    """Code of the model the demonstration rents."""
    models = await cast.authority.client.network.models()
    for _, model in models:
        if MODEL_NAME in bytes(model.name).rstrip(b"\0").decode():
            return int(model.code)
    raise DemoFailed(f"no device model is called {MODEL_NAME}")


async def supply(cast: Cast, devices: list[Keypair], stake: int) -> list[Pubkey]:
    """Three suppliers register a node each and stake to it. Returns the nodes."""
    code = await model_code(cast)

    async def register(supplier: Party, device: Keypair) -> Pubkey:
        terms = NodeTerms(
            price=NODE_PRICE,
            min_coverage_bps=0,
            min_duration=1,
            max_duration=3_600,
            payout=supplier.address,
            fee_payer=device.pubkey(),
            country=276,
            currencies=Currency.IOSD,
            region=0,
        )
        signer = KeypairSigner(device)
        await supplier.client.node.register(signer, model_code=code, processors=PROCESSORS, terms=terms)
        node = supplier.client.node.address(device.pubkey())
        await supplier.client.stake.add(node, stake)
        return node

    return list(await asyncio.gather(*map(register, cast.suppliers, devices)))


async def mint(cast: Cast) -> IosdMinted:
    """The renter burns IO for IOSD, at a price of now: the only way IOSD comes into being."""
    await cast.authority.client.oracle.post(LOCAL_FEED_ID, PRICE, conf=CONF)
    return (await cast.renter.client.iosd.mint(IO_TO_BURN)).event(IosdMinted)


async def rent(cast: Cast, wanted: int, api: str, launcher: str, say: Say) -> tuple[Pubkey, dict[Pubkey, Pubkey]]:
    """What `ionet run` does: find nodes through the indexer, quote, open, book. Returns cluster, and leases by node.

    The budget is more than the quote: the bond of a dispute comes out of it.
    """
    client = cast.renter.client
    wish = Wish(str(await model_code(cast)), PROCESSORS, wanted, DURATION_SECS, "IOSD")
    found = await _found(api, wish, say)
    nodes = [Pubkey.from_string(node.node) for node in found.candidates[:wanted]]
    made = await quote(client, nodes, wish.secs, wish.currency)
    async with LauncherClient(launcher) as asked:
        hired = await hire(client, asked, wanted, most_fee=0)
        number, cluster = await rental.next_cluster(client)
        await rental.open_for(client, hired, made, number, BUDGET)
    await rental.book(client, cluster, made, found.candidates[wanted:], say)
    return cluster, {lease.node: key for key, lease in await client.lease.all(cluster=cluster)}


async def _found(api: str, wish: Wish, say: Say) -> Found:
    """Enough nodes, once their agents have said where they are. Raises DemoFailed with what keeps them away."""
    deadline = time.monotonic() + ONLINE_WITHIN_SECS
    while len((found := await search(api, wish)).candidates) < wish.nodes:
        why = ", ".join(f"{each.nodes} {each.why}" for each in found.removed)
        if time.monotonic() > deadline:
            raise DemoFailed(f"{len(found.candidates)} of {wish.nodes} nodes can be rented: {why}")
        say(f"waiting for nodes: {why}")
        await asyncio.sleep(POLL_SECS)
    return found


async def until_active(renter: Party, cluster: Pubkey, launcher: str, say: Say) -> None:
    """Wait until every meter runs: Ray is up, the launcher has checked the hardware and accepted. Says what it says."""
    try:
        async with LauncherClient(launcher) as asked, asyncio.timeout(ACTIVE_WITHIN_SECS):
            await rental.until_running(renter.client, asked, cluster, say)
    except TimeoutError:
        raise DemoFailed(f"the cluster was not running after {ACTIVE_WITHIN_SECS:.0f} s") from None


async def run_job(head: AbstractAsyncContextManager[AgentClient]) -> list[Block]:
    """Send the job and run it beside the head. Raises DemoFailed with its output when it fails."""
    output, said = Output(), list[str]()
    with as_file(files("ionet_stack.demo") / "job.py") as path:
        sent = job(["python job.py"], None, {"job.py": str(path)}, {}, [])
    async with head as agent:
        code = await rental.run_job(agent, sent, lambda text: said.append(output.feed(text)))
    text = "".join([*said, output.end()])
    if code != 0:
        raise DemoFailed(f"the job ended with {code}: {text[-600:]}")
    return [msgspec.json.decode(line, type=Block) for line in text.splitlines() if line.startswith("{")]


async def dispute(renter: Party, session: Keypair, lease: Pubkey, api: str, say: Say) -> DisputeDefended:
    """The renter disputes an interval of a node that served it; its agent defends by itself and wins the bond."""
    client = renter.client
    interval = await _disputable(client, session, lease, api)
    disputed = (await client.lease.dispute(lease, interval, interval + 1)).event(LeaseDisputed)
    say(f"interval {interval} is held, {tokens(disputed.bond, 'IOSD')} IOSD bond locked")
    deadline = time.monotonic() + DEFENDED_WITHIN_SECS
    while (found := await client.find(Lease, lease)) is not None and is_disputed(found):
        if time.monotonic() > deadline:
            raise DemoFailed(f"the agent did not defend interval {interval} of lease {lease}")
        await asyncio.sleep(POLL_SECS)
    events = await client.events(lease)
    defended = next((event for event in events if isinstance(event, DisputeDefended) and event.defended), None)
    if defended is None or defended.interval != interval or defended.bond_part != disputed.bond:
        raise DemoFailed(f"interval {interval} of lease {lease} was not defended")
    return defended


async def _disputable(client: Client, session: Keypair, lease: Pubkey, api: str) -> int:
    """The newest interval that can be disputed and whose challenge, as the indexer knows, was answered in time."""
    deadline = time.monotonic() + DURATION_SECS
    while time.monotonic() < deadline:
        found, now = await client.lease.get(lease), await client.rpc.unix_time()
        for interval in reversed(disputable(found, now)):
            with contextlib.suppress(NotTraced):
                await fetch(api, challenge_answer(session, lease, interval))
                return interval
        await asyncio.sleep(POLL_SECS)
    raise DemoFailed(f"no interval of lease {lease} was challenged and proven")


async def redeem(cast: Cast, supplier: Party) -> IosdRedeemed:
    """A supplier takes half of what they earned in IO: burned IOSD brings back the IO that was burned for it."""
    await cast.authority.client.oracle.post(LOCAL_FEED_ID, PRICE, conf=CONF)
    earned = await supplier.client.iosd.balance()
    return (await supplier.client.iosd.redeem(earned // 2)).event(IosdRedeemed)


async def reported(cast: Cast, lease: Pubkey) -> NodeSlashed:
    """The keeper reports the silent node as soon as the program agrees that it has missed too much."""
    deadline = time.monotonic() + DURATION_SECS
    while time.monotonic() < deadline:
        for event in await cast.renter.client.events(lease):
            if isinstance(event, NodeSlashed) and (event.lease, event.reporter) == (lease, cast.keeper.address):
                return event
        await asyncio.sleep(POLL_SECS)
    raise DemoFailed("nobody reported the silent node")


async def end(renter: Party, leases: list[Pubkey]) -> None:
    """End what still runs, as `ionet run` does once its job is done."""
    for key, lease in zip(leases, await renter.client.fetch_many(Lease, leases), strict=True):
        if lease is not None and lease.status == LeaseStatus.ACTIVE:
            with contextlib.suppress(ProgramError, NotFound):  # it was over a moment before
                await renter.client.lease.end(key)


async def closed(cast: Cast, cluster: Pubkey, leases: list[Pubkey], say: Say) -> tuple[ClusterClosed, int]:
    """The keeper pays what was proven, charges what was missed and closes every lease; the renter closes their cluster,
    and the keeper burns its fees.

    Returns what the cluster came to, and the bonds that were paid to suppliers.
    """
    client = cast.renter.client
    final = max(final_at(lease) for lease in await client.fetch_many(Lease, leases) if lease is not None)
    deadline = time.monotonic() + max(0, final - await client.rpc.unix_time()) + CLOSED_WITHIN_SECS
    while open_now := [lease for lease in await client.fetch_many(Lease, leases) if lease is not None]:
        if time.monotonic() > deadline:
            raise DemoFailed(f"{len(open_now)} leases were not closed")
        say(f"{len(open_now)} leases are still open")
        await asyncio.sleep(POLL_SECS)
    # One transaction may settle several leases.
    settled = [
        event
        for lease in leases
        for event in await client.events(lease)
        if isinstance(event, LeaseSettled) and event.lease == lease
    ]
    bonds = sum(event.bond_paid for event in settled)
    closing = (await client.cluster.close(cluster)).event(ClusterClosed)
    await _until_gone(cast, [pdas.burn_vault(PROGRAM.id, mint) for mint in (IOSD, IO)], "fees are not burned")
    return closing, bonds


async def _until_gone(cast: Cast, vaults: list[Pubkey], why: str) -> None:
    """Wait until there are no tokens in these accounts any more. Raises DemoFailed."""
    deadline = time.monotonic() + CLOSED_WITHIN_SECS
    while any([await cast.renter.client.rpc.token_balance(vault) for vault in vaults]):
        if time.monotonic() > deadline:
            raise DemoFailed(why)
        await asyncio.sleep(POLL_SECS)


async def trace(anyone: Party, api: str, result: str) -> Occurrence:
    """From a result's hash to its proof on the chain, every step checked."""
    wanted = bytes.fromhex(result)
    items = await fetch(api, wanted)
    if not items:
        raise DemoFailed(f"the indexer does not know result {result}")
    for item in items:
        await verify(anyone.client, item, wanted)
    return items[0]


async def leave(cast: Cast, nodes: list[Pubkey]) -> None:
    """The suppliers retire their nodes; the keeper brings their stake home, closes the vaults and burns the crumbs."""
    for supplier, node in zip(cast.suppliers, nodes, strict=True):
        await supplier.client.node.retire(node)
    vaults = [pdas.stake_vault(PROGRAM.id, node) for node in nodes]
    await _until_gone(cast, [*vaults, pdas.burn_vault(PROGRAM.id, IO)], "stake is left in a vault")
