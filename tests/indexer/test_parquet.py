"""Tables as Parquet: every row that the list has, exactly, in row groups and memory that do not grow with the table."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import threading
import tracemalloc
from decimal import Decimal
from typing import Any

import asyncpg
import crowd
import httpx2
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from indexer.api_server import served
from indexer.downloads import Time, unread, until_there_is_room
from indexer.test_export import table
from indexer.test_limits import request
from ionet_indexer.api import export, files
from ionet_indexer.api.limits import Places
from ionet_indexer.core.answers import Digits
from ionet_indexer.core.reader import Reader
from ionet_indexer.topics import LISTS

pytestmark = pytest.mark.matrix


def parquet(api: httpx2.Client, name: str, **parameters: Any) -> pa.Table:
    response = api.get(f"/v1/export/{name}.parquet", params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    assert "content-encoding" not in response.headers  # it is compressed inside
    found = pq.read_table(io.BytesIO(response.content))
    assert found.schema.metadata[b"ionet-finalized-slot"].decode() == response.headers["ionet-finalized-slot"]
    return found


def listed(api: httpx2.Client, listing: Any) -> list[dict[str, Any]]:
    """What the list has that is final."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(f"/v1{listing.route}", params={"limit": 200, **cursor}).json()
        items += [item for item in page["items"] if item.get("slot", -1) <= page["finalized_slot"]]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def as_json(value: Any, kind: pa.DataType) -> Any:
    """A value of a file as the list gives it."""
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return str(value)
    if pa.types.is_map(kind):
        return dict(value)
    if pa.types.is_list(kind):
        return [as_json(each, kind.value_type) for each in value]
    if pa.types.is_struct(kind):
        return {
            kind.field(at).name: as_json(value[kind.field(at).name], kind.field(at).type) for at in range(len(kind))
        }
    return value


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_a_file_has_every_row_of_the_list_and_of_the_csv(listing: Any, api: httpx2.Client) -> None:
    found, wanted = parquet(api, listing.name), listed(api, listing)
    rows = [{field.name: as_json(row[field.name], field.type) for field in found.schema} for row in found.to_pylist()]
    if "params" in found.schema.names:  # whatever it holds, so it is JSON text
        rows = [{**row, "params": row["params"] and json.loads(row["params"])} for row in rows]
        wanted = [{**row, "params": row["params"] or None} for row in wanted]
    assert rows == wanted
    lines = table(api, listing.name)
    assert len(lines) == len(rows)
    for name in (field.name for field in found.schema if field.type in (pa.int64(), pa.decimal128(20, 0), pa.string())):
        if name != "params":
            assert [line[name] for line in lines] == ["" if row[name] is None else str(row[name]) for row in rows]


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
async def test_a_number_of_the_database_never_becomes_text_by_accident(listing: Any, dsn: str) -> None:
    """Every numeric column is a decimal, but for those of 128 bits, which no decimal that all readers know can hold."""
    wide = {"shares", "secs", "weight"}
    connection = await asyncpg.connect(dsn)
    try:
        sql, _ = listing.query({}, None, 1)
        numeric = {
            each.name for each in (await connection.prepare(sql)).get_attributes() if each.type.name == "numeric"
        }
    finally:
        await connection.close()
    schema = files.schema_of(listing.out)
    decimals = {field.name for field in schema if pa.types.is_decimal(field.type)}
    assert numeric - wide == decimals
    assert {schema.field(name).type for name in numeric & wide} <= {pa.string()}


class Ticket(msgspec.Struct):
    amount: Digits
    until: int | None


class Row(msgspec.Struct):
    id: str
    amount: Digits
    maybe: Digits | None
    wide: str
    at: int | None
    yes: bool | None
    words: list[str]
    tickets: list[Ticket]
    counts: dict[str, int]
    anything: dict[str, Any] | None


def test_the_largest_numbers_and_nulls_come_back_as_they_were() -> None:
    most, wide = 2**64 - 1, 2**128 - 1
    full = Row(
        "1", str(most), str(most), str(wide), 2**63 - 1, True, ["a", ""], [Ticket(str(most), None)], {"x": 1}, {}
    )
    bare = Row("2", "0", None, "0", None, None, [], [], {}, None)
    exact = Row("3", str(2**53 + 1), "10", "7", -1, False, [], [Ticket("0", 2**53 + 1)], {}, {"n": [None, "é"]})
    file = files.ParquetFile(Row, 7)
    data = file.begin() + file.add([full, bare, exact]) + file.end()
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    assert [row["amount"] for row in rows] == [Decimal(most), Decimal(0), Decimal(2**53 + 1)]
    assert [row["maybe"] for row in rows] == [Decimal(most), None, Decimal(10)]
    assert [row["wide"] for row in rows] == [str(wide), "0", "7"]
    assert [row["at"] for row in rows] == [2**63 - 1, None, -1]
    assert [row["yes"] for row in rows] == [True, None, False]
    assert [row["words"] for row in rows] == [["a", ""], [], []]
    nested = [[{"amount": Decimal(most), "until": None}], [], [{"amount": Decimal(0), "until": 2**53 + 1}]]
    assert [row["tickets"] for row in rows] == nested
    assert [row["counts"] for row in rows] == [[("x", 1)], [], []]
    assert [row["anything"] for row in rows] == ["{}", None, '{"n":[null,"é"]}']


def test_a_number_that_does_not_fit_is_refused_rather_than_rounded() -> None:
    file = files.ParquetFile(Row, 7)
    with pytest.raises(pa.ArrowInvalid):
        file.add([Row("1", "1" + "0" * 20, None, "0", None, None, [], [], {}, None)])


def test_a_file_can_be_of_a_time_and_of_nothing(api: httpx2.Client) -> None:
    proofs = parquet(api, "proofs")
    middle = proofs["at"][1].as_py()
    later, earlier = parquet(api, "proofs", since=middle), parquet(api, "proofs", until=middle)
    assert pa.concat_tables([later, earlier]).to_pylist() == proofs.to_pylist()
    nothing = parquet(api, "proofs", since=1 << 50)
    assert (nothing.num_rows, nothing.schema.names) == (0, proofs.schema.names)


def test_a_file_is_of_one_state_and_says_which(api: httpx2.Client) -> None:
    newest = max(row["slot"] for row in parquet(api, "proofs").to_pylist())
    response = api.get("/v1/export/proofs.csv")
    assert newest <= int(response.headers["ionet-finalized-slot"])


async def test_memory_does_not_grow_with_the_table(dsn: str) -> None:
    """Of Python's own memory and of Arrow's, and as CSV; row groups are as long in the small table as in the large."""
    await crowd.fill(dsn, 120_000)  # 87,600 proofs

    async def peak(until: int | None, form: files.Form = files.ParquetFile) -> tuple[int, int, io.BytesIO]:
        parts: export.Parts = asyncio.Queue(maxsize=1)
        gc.collect()
        tracemalloc.reset_peak()
        before, arrow, most = tracemalloc.get_traced_memory()[0], pa.total_allocated_bytes(), 0
        async with Reader.open(dsn) as reader:
            place = Places("exports", 1, 1).take(request("10.0.0.1"))
            listing = next(each for each in LISTS if each.name == "proofs")
            work = asyncio.create_task(export._produce(reader, place, listing, form, {"until": until}, parts))
            path, size = io.BytesIO(), 0
            await parts.get()
            while part := await parts.get():
                assert isinstance(part, bytes), part
                size += path.write(part)
                most = max(most, pa.total_allocated_bytes() - arrow)
            await work
        return tracemalloc.get_traced_memory()[1] - before - size, most, path

    tracemalloc.start()
    try:
        await peak(crowd.START + 5_000)  # imports and caches
        small_python, small_arrow, part = await peak(crowd.START + 22_000)
        python, arrow, whole = await peak(None)
        small_csv, _, _ = await peak(crowd.START + 22_000, files.CsvFile)
        csv, _, lines = await peak(None, files.CsvFile)
    finally:
        tracemalloc.stop()
    few, many = pq.read_metadata(part), pq.read_metadata(whole)
    assert lines.getvalue().count(b"\r\n") == 87_600 + 1
    assert csv < 1.5 * small_csv + (1 << 20)
    assert (few.num_rows > files.GROUP_ROWS, many.num_rows) == (True, 87_600)
    assert {many.row_group(at).num_rows for at in range(many.num_row_groups - 1)} == {files.GROUP_ROWS}
    assert many.num_rows > 3 * few.num_rows
    assert python < 1.5 * small_python + (1 << 20)
    assert arrow < 1.5 * small_arrow + (1 << 20)
    assert arrow < 4 * files.GROUP_BYTES


async def test_the_loop_goes_on_while_rows_become_bytes(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    """Others are answered while a page of rows takes for ever."""
    await crowd.fill(dsn, 4_000)
    plain, begun, go_on = files.ParquetFile.add, threading.Event(), threading.Event()

    def add(self: files.ParquetFile, items: Any) -> bytes:
        begun.set()
        assert go_on.wait(120)
        return plain(self, items)

    monkeypatch.setattr(files.ParquetFile, "add", add)
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as api:
            download = asyncio.create_task(api.get("/v1/export/proofs.parquet", timeout=None))
            try:
                await asyncio.to_thread(begun.wait)
                for _ in range(5):
                    assert (await api.get("/v1/models?limit=1")).status_code == 200
                assert not download.done()
            finally:
                go_on.set()
            assert (await download).status_code == 200


async def test_a_download_that_ends_or_stalls_gives_its_place_back(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is cancelled at once, one that nobody reads when the time of an export is over."""
    await crowd.fill(dsn, 120_000)
    time, path = Time(monkeypatch), "/v1/export/models.parquet"
    hosts = [f"10.0.0.{number}" for number in range(export.MOST_AT_ONCE)]

    async def has_room(api: httpx2.Client) -> None:
        found = await until_there_is_room(api, path)
        assert found.status_code == 200
        assert pq.read_table(io.BytesIO(found.content)).num_rows == crowd.MODELS

    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
        with unread(api, "/v1/export/proofs.parquet", hosts):
            assert api.get(path).status_code == 429
        await has_room(api)
        with unread(api, "/v1/export/proofs.parquet", hosts):
            assert api.get(path).status_code == 429
            time.is_over()
            await has_room(api)
