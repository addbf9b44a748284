"""The JSON-RPC source against a real chain: paging, places in a slot, blocks, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from indexer.recording import PROGRAM_ID
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet.wallet import compile_message
from ionet_indexer.cli import websocket_of
from ionet_indexer.source import rpc, transport
from ionet_indexer.source.base import Heads, Seen, SourceError
from ionet_indexer.source.rpc import RpcSource
from ionet_localnet.timeline import FINALIZED_LAG
from market import Market, key, market
from solders.transaction import VersionedTransaction

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    async with market() as found:
        for name in "abc":
            await found.add_machine(name)
        found.finalize()
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def source(played: Market) -> AsyncIterator[RpcSource]:
    found = RpcSource(played.net.rpc_url, PROGRAM_ID, batch=3)
    yield found
    await found.close()


async def test_pages_of_any_size_list_the_same(source: RpcSource, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = await source.heads()
    whole = await source.seen(-1, heads)
    assert len(whole) > 8
    assert [item.slot for item in whole] == sorted(item.slot for item in whole)
    for first, page in ((1, 2), (2, 3), (4, 1000)):
        monkeypatch.setattr(rpc, "_FIRST_PAGE", first)
        monkeypatch.setattr(rpc, "_PAGE", page)
        assert set(await source.seen(-1, heads)) == set(whole)
        middle = whole[len(whole) // 2].slot
        assert set(await source.seen(middle, heads)) == {item for item in whole if item.slot > middle}
        until = Heads(middle, middle)
        assert set(await source.seen(-1, until)) == {item for item in whole if item.slot <= middle}


async def test_failed_transactions_are_not_listed(source: RpcSource, played: Market) -> None:
    """A stranger pauses a node: the program refuses, but the transaction lands and names the program."""
    before = await source.seen(-1, await source.heads())
    stranger = key("stranger")
    (instruction,) = await played.stranger.node.pause(played.machines[0].address).instructions()
    message = compile_message(stranger.pubkey(), [instruction], played.net.chain.latest_blockhash())
    landed = played.net.chain.submit(VersionedTransaction(message, [stranger]))
    assert landed.error is not None
    played.finalize()
    assert await source.seen(-1, await source.heads()) == before


async def test_the_block_says_where_a_transaction_stood(source: RpcSource) -> None:
    """Nodes before Agave 4 send no transactionIndex: the place from the block is the same."""
    found = await source.transactions(await source.seen(-1, await source.heads()))
    places = {item.signature: item.transaction_index for item in found}
    for item in found:
        item.transaction_index = None
    await source._place(found)
    assert {item.signature: item.transaction_index for item in found} == places


async def test_a_transaction_that_is_not_there_stops_the_batch(source: RpcSource) -> None:
    seen = await source.seen(-1, await source.heads())
    gone = Seen("1" * 64, seen[0].slot)
    with pytest.raises(SourceError, match="listed but not served"):
        await source.transactions([*seen[:2], gone])


async def test_blockhashes_of_slots_with_and_without_block(source: RpcSource, played: Market) -> None:
    slot = (await source.heads()).confirmed
    played.pass_time(5)  # skips slots
    played.finalize()
    skipped = played.net.chain.slot - 2 * FINALIZED_LAG
    known, never, future = await source.blockhashes([slot, skipped, slot + 1_000_000])
    assert known == str(played.net.chain.timeline.blockhash(played.net.chain.timeline.height_of(slot) or 0))
    assert (never, future) == (None, None)


async def test_accounts_come_with_the_slot_they_are_true_at(source: RpcSource, played: Market) -> None:
    network, nothing = str(pdas.network(PROGRAM.id)), str(played.machines[0].device.pubkey())
    slot, found = await source.accounts([network, nothing])
    assert slot <= played.net.chain.slot
    assert found[nothing] is None
    assert found[network] is not None
    assert await source.accounts([]) == (-1, {})


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:1/nope"])
async def test_a_node_that_is_away_is_a_typed_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_ATTEMPTS", 2)
    source = RpcSource(url, PROGRAM_ID)
    with pytest.raises(SourceError, match="getSlot"):
        await source.heads()
    await source.close()


async def test_a_refusal_of_the_node_is_a_typed_error(source: RpcSource) -> None:
    with pytest.raises(SourceError, match="getTransaction"):
        await source.transactions([Seen("not a signature", 1)])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
        ("http://localhost:80/rpc", "ws://localhost:81/rpc"),
        ("https://api.example.org", "wss://api.example.org"),
        ("https://api.example.org/key", "wss://api.example.org/key"),
    ],
)
async def test_the_websocket_is_where_nodes_have_it(url: str, expected: str) -> None:
    assert websocket_of(url) == expected


async def test_replies_that_are_no_json_rpc_are_a_typed_error(played: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_ATTEMPTS", 2)
    source = RpcSource(played.net.rpc_url + "/health", PROGRAM_ID)
    with pytest.raises(SourceError):
        await source.heads()
    await source.close()
