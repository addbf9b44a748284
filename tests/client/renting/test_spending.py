"""How much of a budget is used, on a real chain, and that its renter's own server hears of it, once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import market
import pytest
from ionet.errors import InvalidInput
from ionet.generated.accounts import Cluster
from ionet.quote import quote
from ionet.renting import spending
from ionet.renting.hiring import Hired
from ionet.renting.names import Named, Names
from ionet.renting.rental import next_cluster, open_for
from leases import SESSION

PATIENCE = 60


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[tuple[str, list[dict[str, Any]], list[int]]]:
    """Its URL, what it has heard, and the statuses that it answers with, the last one for all others."""
    heard, statuses = list[dict[str, Any]](), [204]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        heard.append(json.loads(await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))))
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        writer.write(f"HTTP/1.1 {status} Answer\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/budget", heard, statuses


async def test_what_is_used_of_a_budget_is_told_once_for_each_level(tmp_path: Path) -> None:
    async with market.market(clock_factor=0.001) as here, server() as (url, heard, statuses):
        renter, names = here.renter, Names(tmp_path / "clusters.json")
        machine = await here.add_machine("spent")
        made = await quote(renter, [machine.address], 3_600)
        number, cluster = await next_cluster(renter)
        # As much again as the price: the hour that is booked uses half.
        await open_for(renter, Hired(SESSION.pubkey(), 0, 0), made, number, 2 * made.total)
        [lease] = await here.book(cluster, machine, duration=3_600)
        named = Named(str(cluster), renter.rpc.url, str(renter.address), "", "", 0, alert_at=(20, 25), alert_url=url)
        names.add("mine", named)

        async def told() -> list[str]:
            return await spending.tell(renter, names, "mine", names.get("mine"))

        async def soon() -> list[str]:
            """The clock's new time is that of the next block."""
            async with asyncio.timeout(PATIENCE):
                while not (said := await told()):  # noqa: ASYNC110 (the chain says when)
                    await asyncio.sleep(0.05)
            return said

        booked = await spending.use_of(renter, cluster)
        assert booked == spending.Use("IOSD", 2 * made.total, 0), "what is booked is locked, and still to come"
        assert (await told(), heard) == ([], [])
        await here.start(lease, machine)
        here.pass_time(1_500)
        statuses[:] = [500, 204]
        assert await soon() == ["mine: its alert is sent later: HTTP 500: internal server error"]
        [line] = await told()
        assert line.startswith("mine: 20 % of its budget is used (")
        assert (await told(), names.get("mine").is_watched) == ([], True)
        here.pass_time(600)
        [line] = await soon()
        assert line.startswith("mine: 25 % of its budget is used (")
        assert (await told(), names.get("mine").is_watched) == ([], False)
        assert [one["level"] for one in heard] == [20, 20, 25]
        last = heard[-1]
        assert (last["name"], last["cluster"], last["currency"]) == ("mine", str(cluster), "IOSD")
        assert (int(last["budget"]), 2 * made.total // 4 <= int(last["used"]) <= made.total) == (2 * made.total, True)

        # In the end all that is locked is used: what was said before was never more than is paid.
        here.pass_time(3_600)
        async with asyncio.timeout(PATIENCE):
            while (use := await spending.use_of(renter, cluster)) is None or use.percent < 50:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        found = await renter.fetch(Cluster, cluster)
        assert use.used == found.paid + found.fees + found.locked == made.total
        assert use.percent == 50


@pytest.mark.parametrize("text", ["", "0", "101", "-5", "half", "50,,80", "1e2", "50;80"])
def test_what_is_no_list_of_percentages_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        spending.levels_of(text)


def test_percentages_come_in_order_and_once() -> None:
    assert spending.levels_of("100, 50%,50") == [50, 100]
    assert list(spending.reached(spending.Use("IOSD", 10, 8), [80, 50, 100], 50)) == [80]
    assert list(spending.reached(spending.Use("IOSD", 0, 0), [50], 0)) == []
