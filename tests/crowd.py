"""A database as a busy network leaves it, made in SQL: every table filled in proportion, with the API's own words.

The rows are no history that was folded; they have the sizes, the spread of values and the indexes of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from typing import Any

import asyncpg
import msgspec
from ionet.generated.enums import CaseReason, Currency, EndReason, SlashReason
from ionet.program import PROGRAM
from ionet.words import words
from ionet_indexer import topics
from ionet_indexer.core.lists import Listing

START = 1_700_000_000  # block time of the first event, where nothing else is said; each is a second later
WALLETS, MODELS = 500, 27
# Rows of each table for a million events; what is not named has as many as _FEW.
_OF_A_MILLION = {
    "networks": 1,
    "iosd": 1,
    "models": MODELS,
    "nodes": 5_000,
    "positions": 8_000,
    "clusters": 9_000,
    "leases": 36_000,
    "lease_work": 36_000,
    "proofs": 730_000,
    "payments": 73_000,
    "prices": 20_000,
}
_FEW, _LEAST = 8_000, 3_000
NOWHERE = "z" * 40
"""An address that nothing has."""


def key(kind: str, number: str) -> str:
    """SQL for the address number … of a kind."""
    return f"translate(md5('{kind}' || ({number})), '0', 'z')"


def address(kind: str, number: int) -> str:
    """SQL for the same with a number that is known."""
    return key(kind, str(number))


def signature(number: str) -> str:
    """SQL for the signature of a transaction's number."""
    return f"{key('transaction', number)} || {key('signed', number)} || left({key('more', number)}, 24)"


def known_signature(number: int) -> str:
    """The signature itself."""
    return "".join(known_address(kind, number) for kind in ("transaction", "signed", "more"))[:88]


def known_address(kind: str, number: int) -> str:
    """The address itself."""
    return md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest().replace("0", "z")


def values_of(listing: Listing, name: str, events: int) -> list[Any]:
    """What a filter is asked with: common, rare, several at once, nothing that is there."""
    chosen = listing.filters[name]
    if chosen.otherwise:
        return [True, False]
    if chosen.known:
        return [*chosen.known, ",".join(chosen.known)]
    if name in ("since", "until"):
        return [0, START + events // 2, START + events - 5, 1 << 40]
    special: dict[str, list[Any]] = {
        "model": [1, 3, 999],  # as they are looked up
        "max_price": ["20000", "1"],
        "interval": [1, 1 << 31],
        "country": ["DE", "999"],
        "tier": [0, 4],
        "min_processors": [1, 4, 8],
    }
    kind = name if name in ("node", "lease", "cluster", "mint") else "wallet"
    return special.get(name, [known_address(kind, 1), NOWHERE])


def _one_of(*known: str) -> str:
    """SQL for a word: the first one mostly, the others now and then, the last one least."""
    last = len(known)
    return f"(ARRAY[{', '.join(map(repr, known))}])[CASE WHEN i % 10 = 0 THEN 1 + (i / 10) % {last} ELSE 1 END]"


def _columns(sizes: Mapping[str, int]) -> dict[str, str]:
    """Column → SQL for its value in row `i` of its table."""
    lease = key("lease", f"i % {sizes['leases']}")
    own = {"wallet", "staker", "payout", "seller", "renter", "owner", "arbiter", "reporter", "signer", "device_key"}
    return {
        **dict.fromkeys(own, key("wallet", f"i % {WALLETS}")),
        "node": key("node", f"i % {sizes['nodes']}"),
        "cluster": key("cluster", f"i % {sizes['clusters']}"),
        "lease": lease,
        "case_account": key("case", "i"),
        "staker_position": key("position", "i"),
        "model": f"(i % {MODELS})",
        "code": "(i - 1)",
        "name": "'model ' || i",
        "mint": key("mint", "i % 3"),
        "currency": _one_of(*words(Currency)),
        "interval": "(i % 2000)",
        "country": "(1 + i % 190)",
        "tier": "(i % 5)",
        "processors": "(1 + i % 8)",
        "price": "(10000 + (i * 7919) % 100000)",
        "flags": "CASE WHEN i % 20 = 0 THEN 16 ELSE 0 END",
        "current_lease": f"CASE WHEN i % 3 > 0 THEN {lease} END",
        "income": "'[]'::json",
        "tickets": "'[]'::json",
        "co_stake_max_percent": "50",
        "network": "'network'",
        "max_duration": "2592000",
        "currencies": "(1 + i % 3)",
    }


_WORDS = {
    ("clusters", "status"): ("closed", "open"),
    ("leases", "status"): ("closed", "active", "ended", "booked", "ready", "cancelled"),
    ("lease_work", "status"): ("closed", "active", "ended", "booked", "ready", "cancelled"),
    ("leases", "end_reason"): tuple(words(EndReason)),
    ("cases", "status"): ("decided", "dismissed", "appealed", "open"),
    ("cases", "reason"): tuple(words(CaseReason)),
    ("slashes", "reason"): tuple(words(SlashReason)),
    ("owed", "reason"): ("payment", "refund"),
    ("disputes", "outcome"): ("defended", "undefended", "open"),
    ("owed", "kind"): ("owed", "claimed"),
    ("stake_moves", "kind"): ("stake", "refill", "unbond", "withdraw"),
    ("rewards", "kind"): ("claimed", "added"),
    ("income", "kind"): ("shared", "claimed"),
    ("income_vaults", "kind"): ("opened", "closed"),
    ("payout_locks", "kind"): ("locked", "released"),
    ("prices", "kind"): ("refresh", "mint", "redeem", "buyback"),
    ("network_changes", "kind"): ("params-proposed", "params-changed", "role-changed", "paused"),
    ("models", "kind"): ("gpu", "cpu"),
    ("node_terms", "kind"): ("updated", "registered", "key-rotated"),
    ("series_parts", "field"): ("earned-IOSD", "rentable", "asked", "served", "fees-IOSD", "slashed", "stake"),
}

# Columns of a lease that has run a hundred intervals; `at` is when it was booked.
_SPECIAL = {
    ("leases", "started_at"): "{at}",
    ("leases", "ends_at"): "({at} + 60000)",
    ("leases", "interval_secs"): "600",
}


# Uploads whose leaves all have one result, which is what a search for it has to cope with.
_LEAVES = f"""
    INSERT INTO leaf_sets (lease, interval, root, leaves, uploaded_at, body, blocks)
    SELECT lease, interval, root, 4, 0, decode(repeat('00', 256), 'hex'), decode(repeat('00', 32), 'hex')
    FROM (SELECT DISTINCT lease, interval, root FROM proofs LIMIT {_LEAST}) p;
    INSERT INTO leaves SELECT decode(repeat('00', 32), 'hex'), number, i, sha256(number::text::bytea)
    FROM leaf_sets, generate_series(0, 3) i;
"""


_EVERY, _COMMON, _RARE = "ProofAppended", "LeaseSettled", "NodeSlashed"
_STAKE, _CO_STAKE = 100, 50
_PARAMS = {"stake_per_processor": str(_STAKE), "co_stake_max_percent": _CO_STAKE, "renter_fee_bps": 25}


async def fill(dsn: str, events: int, begun: int = START) -> None:
    """Fill an empty database as `events` events would. begun: block time of the first, unix seconds."""
    kinds = (*topics.STATES, *topics.FACTS)
    sizes = {kind.table: _size(kind.table, events) for kind in kinds}
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("CREATE TEMPORARY TABLE sample (name text PRIMARY KEY, data bytea)")
        samples = [(name, _sample(name)) for name in (_EVERY, _COMMON, _RARE)]
        await connection.executemany("INSERT INTO sample VALUES ($1, $2)", samples)
        await _chain(connection, events, sizes, begun)
        for kind in kinds:
            await connection.execute(await _insert(connection, kind.table, sizes, events, begun))
        await connection.execute(_LEAVES)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _sample(name: str) -> bytes:
    """An event as the program writes it, all of its fields zero."""
    [tag] = (bytes(each.discriminator) for each in PROGRAM.codec.idl.events if each.name == name)
    return PROGRAM.codec.encode_event(PROGRAM.codec.decode_event(tag))


def _size(table: str, events: int) -> int:
    of_a_million = _OF_A_MILLION.get(table, _FEW)
    return of_a_million if of_a_million <= MODELS else max(_LEAST, of_a_million * events // 1_000_000)


async def _chain(connection: asyncpg.Connection, events: int, sizes: Mapping[str, int], begun: int) -> None:
    params = {**PROGRAM.codec.show_type("Params", bytes(256)), **_PARAMS}
    await connection.execute(
        f"""
        INSERT INTO checkpoint VALUES (true, 'crowd', 'program', {events}, {events} - 32);
        INSERT INTO status VALUES (true, extract(epoch FROM now()), {events}, NULL);
        INSERT INTO undos (slot) SELECT i FROM generate_series(1, 20) i;
        INSERT INTO events (position, signature, outer_ix, inner_ix, block_time, name, data)
        SELECT i::bigint << 30, {signature("i")}, 0, 0, {begun} + i, name, data
        FROM (
            SELECT i, CASE WHEN i % 4000 = 0 THEN '{_RARE}' WHEN i % 10 < 7 THEN '{_EVERY}' ELSE '{_COMMON}' END AS name
            FROM generate_series(1, {events}) i
        ) e JOIN sample USING (name);
        INSERT INTO transactions SELECT signature, position >> 30, 0, block_time FROM events;
        INSERT INTO event_entities (entity, seq, position)
        SELECT {_columns(sizes)["lease"]}, 1 + i / {sizes["leases"]}, i::bigint << 30
        FROM generate_series(1, {events}) i;
        """
    )
    await connection.execute(
        "INSERT INTO parameters VALUES ('network', 1, $1, $2, $3)",
        _STAKE,
        _CO_STAKE,
        msgspec.json.encode(params).decode(),
    )


async def _insert(connection: asyncpg.Connection, table: str, sizes: Mapping[str, int], events: int, begun: int) -> str:
    """The statement that fills one table."""
    columns = await connection.fetch(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = $1", table
    )
    size, named = sizes[table], _columns(sizes)
    step = max(1, events // size)
    values = {}
    for row in columns:
        name, kind = row["column_name"], row["data_type"]
        if (table, name) in _WORDS:
            values[name] = _one_of(*_WORDS[table, name])
        elif (table, name) in _SPECIAL:
            values[name] = _SPECIAL[table, name].format(at=f"({begun} + i * {step})")
        elif (table, name) == ("leases", "dispute_to"):
            values[name] = "CASE WHEN i % 500 = 0 THEN 5 END"
        elif name == "position":
            values[name] = f"((i * {step})::bigint << 30)"
        elif name in ("at", "opened_at", "booked_at", "registered_at", "publish_time"):
            values[name] = f"({begun} + i * {step})"
        elif kind == "boolean":
            values[name] = "(i % 3 = 0)"
        elif name in named:
            values[name] = named[name]
        elif row["is_nullable"] == "YES":
            continue
        else:
            values[name] = {"text": "'x'", "json": "'{}'::json"}.get(kind, "(i % 1000)")
    names = ", ".join(values)
    picked = ", ".join(values.values())
    return f"INSERT INTO {table} ({names}) SELECT {picked} FROM generate_series(1, {size}) i"
