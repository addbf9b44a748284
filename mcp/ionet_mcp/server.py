"""The MCP server: a tool for each step of renting. What a tool refuses is one sentence, as on the command line."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Annotated, TypeVar

from ionet import resolve
from ionet.cli.parsing import amount, hash32, pubkey
from ionet.errors import IonetError
from mcp.server.mcpserver import Context, Elicit, ElicitationResult, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from ionet_mcp import answers, jobs, watch
from ionet_mcp.desk import Desk

INSTRUCTIONS = """Rents GPUs on the ionet network. Order: search, quote, book, status until it is running, run, end.
Money is committed by `book` alone: at most the quote's total, within limits that a person has set and that no tool can
change; depending on their policy a person is asked first. `end` what you booked: what was not used comes back."""

READS = ToolAnnotations(read_only_hint=True, open_world_hint=True)
COMMITS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
RUNS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)

Nodes = Annotated[list[str], Field(min_length=1, max_length=64, description="Addresses of nodes, from `search`.")]
Cluster = Annotated[str, Field(max_length=64, description="Address of the cluster, from `book`.")]
Wait = Annotated[float, Field(ge=0, le=50, description="Seconds to wait for its end.")]
QuoteName = Annotated[str, Field(max_length=64, description="`quote` of what `quote` answered.")]


T = TypeVar("T")


class Agreed(BaseModel):
    """What a person answers who is asked whether to rent."""

    rent: Annotated[bool, Field(description="Rent it for this price.")]


class NotAgreed(IonetError):
    """a person was asked and did not agree, so nothing was booked"""


class Office:
    """What lives as long as the server."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.ending = desk, watch.Ending(set())


OfficeContext = Context[Office]


def serve(desk: Desk) -> MCPServer[Office]:
    """The server for this desk; `run_stdio_async` serves."""

    @contextlib.asynccontextmanager
    async def opened(_server: MCPServer[Office]) -> AsyncIterator[Office]:
        yield Office(desk)

    server = MCPServer[Office](
        "ionet", instructions=INSTRUCTIONS, version=version("ionet"), lifespan=opened, log_level="WARNING"
    )
    for tool in (search, quote, status, output, trace, spending):
        server.add_tool(tool, annotations=READS)
    server.add_tool(book, annotations=COMMITS)
    server.add_tool(run, annotations=RUNS)
    server.add_tool(end, annotations=ENDS)
    return server


async def search(
    ctx: OfficeContext,
    model: Annotated[str | None, Field(max_length=64, description="Device model, such as H100 or RTX 4090.")] = None,
    max_price: Annotated[
        str | None, Field(max_length=32, description="Most dollars per processor-hour, such as 1.5.")
    ] = None,
    country: Annotated[str | None, Field(max_length=8, description="Two letters of ISO 3166-1, such as DE.")] = None,
    processors: Annotated[int | None, Field(ge=1, le=8, description="Fewest processors (GPUs) of a node.")] = None,
) -> answers.Search:
    """Nodes that can be rented now, the cheapest first, as an indexer tells; `quote` has the binding price."""
    limit = None if max_price is None else _read(lambda: amount(max_price, "dollars"))
    return await _said(_desk(ctx).search(model, limit, country, processors))


async def quote(
    ctx: OfficeContext,
    nodes: Nodes,
    duration: Annotated[str, Field(max_length=32, description="How long: 90m, 2h, 1d, or seconds.")],
    currency: Annotated[str, Field(max_length=8, description="IOSD or USDC.")] = "IOSD",
) -> answers.Quoted:
    """The most that renting these nodes for so long can cost, read from the chain. Commits nothing."""
    keys = _read(lambda: [pubkey(node) for node in nodes])
    return await _said(_desk(ctx).quote(keys, _read(lambda: resolve.duration(duration)), currency))


async def ask(quote: str, ctx: OfficeContext) -> Agreed | Elicit[Agreed]:
    """Have the client ask a person, where the policy says so; a budget above the limits is refused unasked."""
    desk = _desk(ctx)
    pending = _read(lambda: desk.pending_quote(quote))
    _read(lambda: desk.ledger.check(pending.quote.total))
    if not desk.policy.asks(pending.quote.total):
        return Agreed(rent=True)
    return Elicit(pending.question, Agreed)


async def book(
    ctx: OfficeContext, quote: QuoteName, answer: Annotated[ElicitationResult[Agreed], Resolve(ask)]
) -> answers.Booked:
    """Rent what was quoted: opens a budget of the quote's total and books the nodes. Commits money."""
    if answer.action != "accept" or not answer.data.rent:
        raise ToolError(str(NotAgreed()))
    return await _said(_desk(ctx).book(quote))


async def status(ctx: OfficeContext, cluster: Cluster) -> answers.Status:
    """What became of a booking: its phase, leases and money."""
    key = _read(lambda: pubkey(cluster))
    return await _said(watch.status(_desk(ctx), key))


async def run(
    ctx: OfficeContext,
    cluster: Cluster,
    command: Annotated[str, Field(max_length=16_384, description="For a shell, such as python job.py.")],
    files: Annotated[
        dict[str, str] | None, Field(max_length=64, description="Texts by path, below the folder where it runs.")
    ] = None,
    wait: Wait = 20,
) -> answers.Ran:
    """Run a command on a cluster that was booked here and is running, beside its Ray head; `ray.init()` finds it.

    It goes on when the wait is over; `output` has the rest. Costs nothing beyond the booking.
    """
    key = _read(lambda: pubkey(cluster))
    return await _said(jobs.run(_desk(ctx), key, command, files or {}, wait))


async def output(
    ctx: OfficeContext,
    cluster: Cluster,
    job: Annotated[str, Field(max_length=64, description="`job` of what `run` answered.")],
    wait: Wait = 20,
) -> answers.Ran:
    """What a job has printed so far, after waiting a while for its end."""
    key = _read(lambda: pubkey(cluster))
    return await _said(jobs.output(_desk(ctx), key, job, wait))


async def end(ctx: OfficeContext, cluster: Cluster) -> answers.Ended:
    """End the leases of a cluster that was booked here, pay what is due, and get the rest of its budget back.

    What served last can be disputed for a while; call again until `closed`.
    """
    key = _read(lambda: pubkey(cluster))
    return await _said(watch.end(_desk(ctx), key, ctx.request_context.lifespan_context.ending))


async def trace(
    ctx: OfficeContext,
    result_hash: Annotated[str, Field(max_length=64, description="sha256 of the result, 64 hex digits.")],
) -> answers.Trace:
    """Where a result was computed: node, time and cost, each checked against the proof on the chain."""
    wanted = _read(lambda: hash32(result_hash))
    return await _said(watch.traced(_desk(ctx), wanted))


async def spending(ctx: OfficeContext) -> answers.Purse:
    """What was spent and may be spent, and the clusters that are still open."""
    desk = _desk(ctx)
    await _said(desk.reconcile())
    return watch.purse(desk)


def _desk(ctx: OfficeContext) -> Desk:
    return ctx.request_context.lifespan_context.desk


def _read(meaning: Callable[[], T]) -> T:
    try:
        return meaning()
    except IonetError as error:
        raise ToolError(str(error)) from None
    except sqlite3.Error as error:
        raise ToolError(f"the ledger cannot be used: {error}") from None


async def _said(work: Awaitable[T]) -> T:
    try:
        return await work
    except IonetError as error:
        raise ToolError(str(error)) from None
    except sqlite3.Error as error:
        raise ToolError(f"the ledger cannot be used: {error}") from None
