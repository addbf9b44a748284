"""`ionet export` of an indexer that follows a chain: what can be rented now, and nothing else."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from client.cli.conftest import Shell
from ionet import catalogues
from market import USD
from offering import Offering, founded, place_for_postgres


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Offering]:
    with place_for_postgres() as folder:
        async with founded(folder) as made:
            yield made


async def test_only_what_can_be_rented_is_exported(place: Offering) -> None:
    cheap, dear, silent = [
        await place.market.add_machine(name, price=price)
        for name, price in (("cheap", USD), ("dear", 3 * USD), ("silent", USD))
    ]
    await place.rentable(cheap, dear)
    shell = Shell(place.market.net.rpc_url, place.folder / "renter.json")

    async def exported(*words: str) -> list[dict[str, str]]:
        done = await asyncio.to_thread(shell.run, "export", *words, "--api", place.api)
        assert (done.returncode, done.stderr) == (0, "")
        return list(csv.DictReader(io.StringIO(done.stdout)))

    [row] = await exported("skypilot")
    assert tuple(row) == catalogues.SKYPILOT_COLUMNS
    # Two processors at one dollar; the dear one is of the same kind.
    assert (row["InstanceType"], row["Region"], row["Price"]) == ("2x-B200", "DE", "2.000000")
    rows = await exported("dstack")
    assert [(row["instance_name"], row["price"], row["gpu_memory"]) for row in rows] == [
        (str(cheap.address), "2.000000", "180"),
        (str(dear.address), "6.000000", "180"),
    ]
    assert str(silent.address) not in {row["instance_name"] for row in rows}
    file = place.folder / "sky" / "vms.csv"
    assert await exported("skypilot", "--to", str(file)) == []
    assert list(csv.DictReader(io.StringIO(file.read_text()))) == [row]
    raw = await asyncio.to_thread(shell.json, "export", "dstack", "--api", place.api)
    assert raw == rows


@pytest.mark.parametrize(
    ("api", "message", "code"),
    [
        ("localhost:8080", "error: invalid input: 'localhost:8080' is no http or https address", 1),
        (
            "http://127.0.0.1:1",
            "error: the indexer's API did not answer as it should: http://127.0.0.1:1: ConnectError\n",
            4,
        ),
    ],
)
def test_an_api_that_is_none_is_refused(shell: Shell, api: str, message: str, code: int) -> None:
    said = shell.refused("export", "skypilot", "--api", api)
    assert (said[0], said[1].startswith(message)) == (code, True)


def test_an_rpc_node_is_not_an_indexer(shell: Shell) -> None:
    code, message = shell.refused("export", "dstack", "--api", shell.url)
    assert (code, message.endswith(" is not an ionet indexer\n")) == (4, True)
