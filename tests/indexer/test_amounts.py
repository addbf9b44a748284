"""Amounts that are integers here are the same numbers in the database."""

from __future__ import annotations

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet_indexer.core.amounts import NotWhole, decode, encode, use_integers

EDGES = [0, 1, 9_999, 10_000, 10_001, 99_990_000, 10**8, 10**20, 2**64 - 1, 2**128 - 1, 10**39 - 1]


async def test_the_database_reads_what_was_meant_and_gives_it_back(dsn: str) -> None:
    amounts = [*EDGES, *(-edge for edge in EDGES)]
    connection = await asyncpg.connect(dsn)
    try:
        await use_integers(connection)
        await connection.execute("CREATE TEMP TABLE kept (number int, amount numeric(39))")
        await connection.copy_records_to_table("kept", records=list(enumerate(amounts)))
        rows = await connection.fetch("SELECT amount, amount::text AS said FROM kept ORDER BY number")
        assert [row["said"] for row in rows] == [str(amount) for amount in amounts]
        assert [row["amount"] for row in rows] == amounts
        # Equal in an index, too: a number has one form there.
        same = "SELECT count(*) FROM kept WHERE hash_numeric(amount) = hash_numeric(amount::text::numeric)"
        assert await connection.fetchval(same) == len(amounts)
        assert await connection.fetchval("SELECT 1e30::numeric") == 10**30
        for other in ("1.5", "'NaN'", "'Infinity'"):
            with pytest.raises(NotWhole):
                await connection.fetchval(f"SELECT {other}::numeric")
    finally:
        await connection.close()


@given(st.integers(-(10**60), 10**60))
def test_any_integer_comes_back(amount: int) -> None:
    assert decode(encode(amount)) == amount
