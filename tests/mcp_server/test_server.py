"""`ionet mcp` asked by the protocol's own client, against a chain and an indexer that run."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from ionet.generated.accounts import Cluster
from ionet.generated.events import ClusterOpened
from market import USD, Machine
from mcp_server.place import Assistant, Person, Place, Refused, founded
from offering import place_for_postgres
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESULT = b"forty-two"
# Of two processors at two dollars, with the fee.
TEN_MINUTES = "$0.668333"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Place]:
    with place_for_postgres() as folder:
        async with founded(folder) as made:
            yield made


async def node(place: Place, name: str, price: int = 2 * USD) -> Machine:
    """A node with two processors that can be rented."""
    machine = await place.market.add_machine(name, price=price)
    await place.rentable(machine)
    return machine


def dollars(text: str) -> Decimal:
    return Decimal(text.removeprefix("$"))


async def until_closed(assistant: Assistant, cluster: str) -> Any:
    for _ in range(10):
        ended = await assistant.call("end", cluster=cluster)
        if ended["closed"]:
            return ended
    raise AssertionError(ended)


async def test_an_agent_rents_watches_traces_and_ends(place: Place) -> None:
    dear, cheap = await node(place, "dear", 3 * USD), await node(place, "cheap", 1 * USD)
    person = Person()
    async with place.assistant("--session-limit", "5", person=person) as assistant:
        tools = {tool.name: tool for tool in (await assistant.client.list_tools()).tools}
        assert set(tools) == {"search", "quote", "book", "run", "output", "status", "trace", "end", "spending"}
        assert [name for name, tool in tools.items() if tool.annotations and not tool.annotations.read_only_hint] == [
            "book",
            "run",
            "end",
        ]
        assert set(tools["book"].input_schema["properties"]) == {"quote"}

        found = (await assistant.call("search", model="b200", max_price="2.5", country="DE"))["nodes"]
        assert [(item["node"], item["price"], item["processors"]) for item in found] == [
            (str(cheap.address), "$1/h", 2)
        ]
        assert [item["node"] for item in (await assistant.call("search"))["nodes"]] == [
            str(cheap.address),
            str(dear.address),
        ]

        quoted = await assistant.call("quote", nodes=[str(cheap.address), str(dear.address)], duration="30m")
        assert (quoted["hourly"], quoted["fee"], quoted["total"]) == ("8 IOSD", "0.01 IOSD", "4.01 IOSD")
        assert (quoted["asks"], quoted["left_to_spend"]) == (True, "$5")

        booked = await assistant.call("book", quote=quoted["quote"])
        assert person.asked == [
            f"Rent 2 x B200 in DE at $1/h ({cheap.address}), 2 x B200 in DE at $3/h ({dear.address}) for 30 min?"
            " At most 4.01 IOSD in all, fee included."
        ]
        assert (set(booked["leases"]), booked["left_out"]) == ({str(cheap.address), str(dear.address)}, {})
        with pytest.raises(Refused, match="no such quote"):
            await assistant.call("book", quote=quoted["quote"])

        cluster, lease = booked["cluster"], Pubkey.from_string(booked["leases"][str(cheap.address)])
        await place.serve_interval(lease, cheap, RESULT)
        seen = await assistant.call("status", cluster=cluster)
        assert {item["lease"]: item["state"] for item in seen["leases"]}[str(lease)] == "active"
        assert (seen["phase"], seen["money"]["deposit"], seen["left_to_spend"]) == (None, "4.01 IOSD", "$0.99")

        traced = await assistant.call("trace", result_hash=hashlib.sha256(RESULT).hexdigest())
        assert [(item["node"], item["served_secs"], item["cost"]) for item in traced["occurrences"]] == [
            (str(cheap.address), 3, "0.001666 IOSD")
        ]

        assert (await assistant.call("end", cluster=cluster))["waiting"]
        place.market.pass_time(3600)
        ended = await until_closed(assistant, cluster)
        spent = await assistant.call("spending")
        assert (await assistant.call("status", cluster=cluster))["open"] is False
    assert dollars(spent["in_all"]) == Decimal("4.01") - dollars(ended["refunded"])
    assert spent["open_clusters"] == []


async def test_what_was_spent_outlives_the_server(place: Place) -> None:
    machine, options = await node(place, "kept"), ("--session-limit", "3", "--session", "kept", "--limit", "9")
    async with place.assistant(*options) as assistant:
        quoted = await assistant.call("quote", nodes=[str(machine.address)], duration="30m")
        booked = await assistant.call("book", quote=quoted["quote"])
    other = await node(place, "other")
    async with place.assistant(*options) as assistant:
        with pytest.raises(Refused, match="no such quote"):
            await assistant.call("book", quote=quoted["quote"])
        again = await assistant.call("quote", nodes=[str(other.address)], duration="30m")
        with pytest.raises(Refused) as refused:
            await assistant.call("book", quote=again["quote"])
        assert refused.value.text.endswith(
            "this would spend more than is allowed: $2.005, while this session spent $2.005 of $3"
        )
        assert (await assistant.call("spending"))["open_clusters"] == [booked["cluster"]]
    # Another session has its own limit, and the limit in all still counts; the person is not even asked.
    person = Person()
    async with place.assistant("--session", "next", "--limit", "4", person=person) as assistant:
        again = await assistant.call("quote", nodes=[str(other.address)], duration="30m")
        with pytest.raises(Refused, match="all sessions together spent"):
            await assistant.call("book", quote=again["quote"])
    assert person.asked == []
    async with place.assistant("--session", "third", "--limit", "30") as assistant:
        again = await assistant.call("quote", nodes=[str(other.address)], duration="30m")
        assert await assistant.call("book", quote=again["quote"])


@pytest.mark.parametrize("answer", [False, None])
async def test_without_a_yes_nothing_is_booked(place: Place, answer: bool | None) -> None:
    machine, person = await node(place, f"declined {answer}"), Person(answer)
    before = await place.market.renter.cluster.next_id()
    async with place.assistant("--session", "asked", "--limit", "40", person=person) as assistant:
        quoted = await assistant.call("quote", nodes=[str(machine.address)], duration="10m")
        with pytest.raises(Exception, match="did not agree" if answer is False else "(?i)elicitation"):
            await assistant.call("book", quote=quoted["quote"])
        assert (await assistant.call("spending"))["in_session"] == "$0"
    assert await place.market.renter.cluster.next_id() == before
    assert len(person.asked) == (1 if answer is False else 0)


async def test_small_amounts_need_no_yes_where_the_policy_says_so(place: Place) -> None:
    machine, person = await node(place, "small"), Person(answer=False)
    options = ("--session", "small", "--limit", "40", "--confirm", "1")
    async with place.assistant(*options, person=person) as assistant:
        large = await assistant.call("quote", nodes=[str(machine.address)], duration="20m")
        with pytest.raises(Refused, match="did not agree"):
            await assistant.call("book", quote=large["quote"])
        small = await assistant.call("quote", nodes=[str(machine.address)], duration="10m")
        assert (large["asks"], small["asks"]) == (True, False)
        assert (await assistant.call("book", quote=small["quote"]))["leases"]
    assert len(person.asked) == 1


async def test_a_price_that_rose_is_not_paid(place: Place) -> None:
    machine = await node(place, "riser")
    before = await place.market.renter.cluster.next_id()
    async with place.assistant("--session", "riser", "--limit", "40", "--confirm", "never") as assistant:
        quoted = await assistant.call("quote", nodes=[str(machine.address)], duration="10m")
        await place.market.admin.node.change(machine.address, price=4 * USD)
        with pytest.raises(Refused, match="costs more than it did"):
            await assistant.call("book", quote=quoted["quote"])
        assert (await assistant.call("spending"))["in_session"] == "$0"
    assert await place.market.renter.cluster.next_id() == before


async def test_a_cluster_of_the_wallet_that_was_not_booked_here_is_left_alone(place: Place) -> None:
    own = (await place.market.renter.cluster.open(5 * USD)).event(ClusterOpened).cluster
    async with place.assistant() as assistant:
        with pytest.raises(Refused, match="was not booked here"):
            await assistant.call("end", cluster=str(own))
        assert (await assistant.call("status", cluster=str(own)))["money"]["deposit"] == "5 IOSD"
    assert await place.market.renter.find(Cluster, own) is not None


async def test_refusals_are_one_sentence(place: Place) -> None:
    nobody = str(Keypair().pubkey())
    machine = await node(place, "refusing")
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("search", {"model": "H900"}, "invalid input: no model H900: .* like it: "),
        ("search", {"country": "ZZ"}, "invalid input: country 'ZZ'"),
        ("search", {"max_price": "1,5"}, "is no amount of dollars"),
        ("quote", {"nodes": ["x"], "duration": "1h"}, "'x' is not a valid address"),
        ("quote", {"nodes": [nobody], "duration": "1h"}, f"no such account on this chain: node {nobody}"),
        ("quote", {"nodes": [str(machine.address)], "duration": "soon"}, "'soon' is no duration"),
        ("quote", {"nodes": [str(machine.address)], "duration": "2d"}, "is leased for 6 to 3600 s, not 172800"),
        ("quote", {"nodes": [str(machine.address)], "duration": "1h", "currency": "USDC"}, "does not take USDC"),
        ("quote", {"nodes": [str(machine.address)], "duration": "1h", "currency": "IO"}, "quotes are in IOSD or USDC"),
        ("book", {"quote": "none"}, "there is no such quote"),
        ("status", {"cluster": nobody}, f"no such account on this chain: cluster {nobody}"),
        ("end", {"cluster": nobody}, "was not booked here"),
        ("trace", {"result_hash": "ab"}, "'ab' is not 32 bytes in hex"),
        ("trace", {"result_hash": "ab" * 32}, "cannot trace this result"),
    ]
    async with place.assistant("--session", "wrong") as assistant:
        for tool, arguments, text in rows:
            with pytest.raises(Refused) as refused:
                await assistant.call(tool, **arguments)
            assert not refused.value.text.startswith("Traceback"), refused.value.text
            with pytest.raises(Exception, match=text):
                raise refused.value


async def test_servers_side_by_side_commit_no_more_than_the_limit(place: Place) -> None:
    machines = [await node(place, f"crowd {number}") for number in range(4)]
    options = ("--session", "crowd", "--confirm", "never", "--session-limit", "4.1", "--limit", "49")
    async with place.assistant(*options) as one, place.assistant(*options) as two:
        quotes = [
            (each, (await each.call("quote", nodes=[str(machine.address)], duration="30m"))["quote"])
            for machine, each in zip(machines, (one, two, one, two), strict=True)
        ]
        outcomes = await asyncio.gather(
            *(each.call("book", quote=quote) for each, quote in quotes), return_exceptions=True
        )
        booked = [item for item in outcomes if not isinstance(item, BaseException)]
        spent = await one.call("spending")
    budgets = sum(2_005_000 for _ in booked)
    assert budgets <= 4_100_000
    assert spent["in_session"] == f"${budgets / 1e6:g}"


def servers(place: Place) -> list[int]:
    """Process ids of the `ionet mcp` of this place."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdecimal() else []
            if b"mcp" in words and str(place.folder / "mcp").encode() in words:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("delay", [0.01, 0.08, 0.3])
@pytest.mark.matrix
async def test_a_server_killed_while_it_books_has_counted_it(place: Place, delay: float) -> None:
    """Whatever is open on the chain afterwards is counted, and the next server ends it."""
    machine = await node(place, f"killed {delay}")
    options = ("--session", f"killed-{delay}", "--confirm", "never", "--limit", "45")
    before = await place.market.renter.cluster.next_id()
    with suppress(Exception):  # the connection breaks
        async with place.assistant(*options) as assistant:
            quoted = await assistant.call("quote", nodes=[str(machine.address)], duration="10m")
            booking = asyncio.create_task(assistant.call("book", quote=quoted["quote"]))
            await asyncio.sleep(delay)
            for server in servers(place):
                os.kill(server, signal.SIGKILL)
            await booking
    async with place.assistant(*options) as assistant:
        spent = await assistant.call("spending")
        renter = place.market.renter
        made = range(before, await renter.cluster.next_id())
        there = [str(renter.cluster.address(renter.address, number)) for number in made]
        assert set(there) <= set(spent["open_clusters"])
        assert spent["in_session"] in ([TEN_MINUTES] if there else ["$0", TEN_MINUTES])
        place.market.pass_time(3600)
        for cluster in there:
            assert (await until_closed(assistant, cluster))["refunded"] == TEN_MINUTES
        if there:
            assert (await assistant.call("spending"))["in_session"] == "$0"
