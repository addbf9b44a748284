"""`ionet indexer verify`: the events of whole histories add up to vaults and accounts, and one unit off is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from indexer.conflicts import tell_of_conflicts
from indexer.endings import tell_of_endings
from indexer.recording import PROGRAM_ID
from indexer.story import Story, tell
from indexer.test_refill import ask
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Iosd, Lease, Node
from ionet.program import PROGRAM
from ionet_indexer.audit import verify as audit
from ionet_indexer.audit.rules import Verdict
from ionet_indexer.audit.verify import verify
from ionet_indexer.core.reader import Reader
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.source.base import SourceError
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from market import Market, market
from solders.pubkey import Pubkey

pytestmark = [pytest.mark.matrix, pytest.mark.asyncio(loop_scope="module")]
RULES = ["numbering", "escrow vaults", "stake vaults", "income vaults", "owed vaults", "fees vaults", "burn vaults"]
RULES += ["payouts", "clusters", "pools", "slashes", "minted and burned", "IOSD supply", "IO supply"]


class Skewed(RpcSource):
    """A node whose chain is a little different: a number of an account, or of a vault or mint, is another."""

    key = ""
    offset = 0
    by = 0

    async def token_data(self, keys: Sequence[str], least: int = 0) -> tuple[int, dict[str, bytes | None]]:
        slot, found = await super().token_data(keys, least)
        return slot, {key: self._skewed(data) if key == self.key else data for key, data in found.items()}

    async def accounts(self, keys: Sequence[str], least: int = 0) -> tuple[int, dict[str, bytes | None]]:
        slot, found = await super().accounts(keys, least)
        return slot, {key: self._skewed(data) if key == self.key else data for key, data in found.items()}

    def _skewed(self, data: bytes | None) -> bytes:
        assert data is not None
        number = int.from_bytes(data[self.offset : self.offset + 8], "little") + self.by
        return data[: self.offset] + number.to_bytes(8, "little") + data[self.offset + 8 :]


async def indexed(
    played: Market, dsn: str, *, key: str = "", offset: int = 0, by: int = 0, sql: str = ""
) -> list[Verdict]:
    source = Skewed(played.net.rpc_url, PROGRAM_ID)
    source.key, source.offset, source.by = key, offset, by
    try:
        async with Writer.open(dsn) as writer, Reader.open(dsn) as reader:
            start = await writer.start(await source.genesis(), PROGRAM_ID)
            ingest = Ingest(source, writer, Pipeline(writer, PROGRAM.codec), start)
            await ingest.run_once()
            if sql:
                await ask(dsn, sql)
            following = asyncio.create_task(ingest.run(asyncio.Event(), 0.05))
            try:
                return await verify(reader, source, PROGRAM.codec)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
    finally:
        await source.close()


@pytest.mark.parametrize("story", [tell, tell_of_conflicts, tell_of_endings], ids=["market", "conflicts", "endings"])
async def test_every_rule_holds_for_a_whole_history(story: Callable[[Market], Any], dsn: str) -> None:
    async with market() as played:
        await story(played)
        played.finalize()
        verdicts = await indexed(played, dsn)
    assert [(verdict.rule, verdict.holds, verdict.detail) for verdict in verdicts if not verdict.holds] == []
    assert [verdict.rule for verdict in verdicts] == RULES


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told() -> AsyncIterator[tuple[Market, Story]]:
    async with market() as found:
        story = await tell(found)
        found.finalize()
        yield found, story


def at(kind: type[Any], name: str) -> int:
    """Where in an account a number is."""
    return PROGRAM.codec.field_match(kind, name, 0)[0]


AMOUNT, SUPPLY = 64, 36  # in a token account and in a mint
SKEWS: dict[str, Callable[[Story], tuple[Pubkey, int, int]]] = {
    "escrow vaults": lambda story: (pdas.escrow(PROGRAM.id, story.second_cluster), AMOUNT, -1),
    "stake vaults": lambda story: (pdas.stake_vault(PROGRAM.id, story.machines[0].address), AMOUNT, -1),
    "payouts": lambda story: (story.booked, at(Lease, "paid"), 1),
    "clusters": lambda story: (story.second_cluster, at(Cluster, "fees"), 1),
    "pools": lambda story: (story.machines[2].address, at(Node, "refill"), 1),
    "slashes": lambda story: (story.machines[1].address, at(Node, "slashed"), -1),
    "minted and burned": lambda _: (pdas.iosd(PROGRAM.id), at(Iosd, "io_burned"), 1),
    "IOSD supply": lambda _: (pdas.iosd_mint(PROGRAM.id), SUPPLY, 1),
    "IO supply": lambda _: (pdas.io_mint(PROGRAM.id), SUPPLY, 1),
}


@pytest.mark.parametrize("rule", SKEWS)
async def test_one_unit_off_is_told_by_its_rule_alone(rule: str, told: tuple[Market, Story], dsn: str) -> None:
    played, story = told
    key, offset, by = SKEWS[rule](story)
    verdicts = await indexed(played, dsn, key=str(key), offset=offset, by=by)
    assert [verdict.rule for verdict in verdicts if not verdict.holds] == [rule]
    (verdict,) = [verdict for verdict in verdicts if verdict.rule == rule]
    assert "by the events" in verdict.detail


async def test_a_missing_event_is_told_by_the_numbering(told: tuple[Market, Story], dsn: str) -> None:
    played, _ = told
    sql = "DELETE FROM events WHERE position = (SELECT max(position) FROM events WHERE name = 'ProofAppended')"
    verdicts = await indexed(played, dsn, sql=sql)
    assert [verdict.rule for verdict in verdicts if not verdict.holds] == ["numbering"]


async def test_an_audit_of_tables_that_nobody_keeps_says_so(told: tuple[Market, Story], dsn: str) -> None:
    played, _ = told
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    try:
        async with Reader.open(dsn) as reader:
            with pytest.raises(SourceError, match="is an indexer running"):
                await verify(reader, source, PROGRAM.codec)
    finally:
        await source.close()


@contextlib.asynccontextmanager
async def followed(played: Market, dsn: str) -> AsyncIterator[tuple[Reader, RpcSource, Writer]]:
    """An indexer that follows the chain."""
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    async with Writer.open(dsn) as writer, Reader.open(dsn) as reader:
        ingest = Ingest(source, writer, Pipeline(writer, PROGRAM.codec), await writer.start("chain", PROGRAM_ID))
        await ingest.run_once()
        following = asyncio.create_task(ingest.run(asyncio.Event(), 0.05))
        try:
            yield reader, source, writer
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await source.close()


class Between(RpcSource):
    """A node between whose answers something always happens."""

    happens: Callable[[], Awaitable[Any]]
    asked = 0

    async def _read(self, keys: Sequence[str], least: int) -> Any:
        self.asked += 1
        await self.happens()
        found = await super()._read(keys, least)
        await self.happens()
        return found


async def test_an_audit_ends_on_a_chain_that_never_rests(
    told: tuple[Market, Story], dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money moves before and after every read, in what is read before and what is read after, while all is audited."""
    played, _ = told
    monkeypatch.setattr(audit, "_AT_ONE_SLOT", 3)
    count, one_by_one = 0, asyncio.Lock()

    async def happens() -> None:
        nonlocal count
        async with one_by_one:
            count += 1
            await played.mint_iosd(played.renter, 1_000 + count)
            await played.open_cluster()
            await played.admin.stake.add(played.machines[0].address, 5)

    async def on_and_on() -> None:
        while True:
            await happens()

    source = Between(played.net.rpc_url, PROGRAM_ID)
    source.happens = happens
    async with followed(played, dsn) as (reader, _, _):
        busy = asyncio.create_task(on_and_on())
        try:
            verdicts = await verify(reader, source, PROGRAM.codec)
            assert not busy.done()
        finally:
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
    await source.close()
    assert source.asked > 5
    assert count >= 2 * source.asked
    assert [(verdict.rule, verdict.detail) for verdict in verdicts if not verdict.holds] == []
    assert [verdict.rule for verdict in verdicts] == RULES


async def test_an_audit_begins_again_after_a_fork(
    told: tuple[Market, Story], dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the books took of the other fork counts no more; and it does not begin again for ever."""
    played, _ = told
    monkeypatch.setattr(audit, "_PAUSE", 0.0)
    source = Between(played.net.rpc_url, PROGRAM_ID)
    begun = 0
    async with followed(played, dsn) as (reader, _, _):

        async def forks() -> None:
            nonlocal begun
            begun += 1
            if begun <= forked:
                await ask(dsn, "INSERT INTO undos (slot) VALUES (1)")

        source.happens = forks
        forked = 3
        assert all(verdict.holds for verdict in await verify(reader, source, PROGRAM.codec))
        assert begun > 3
        forked, begun = 1_000, 0
        with pytest.raises(SourceError, match="another fork"):
            await verify(reader, source, PROGRAM.codec)
    await source.close()
