"""A search finds whatever any column of the schema holds that is a key, a hash or a signature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import postgres
import pytest
from indexer.api_server import TEMPLATE, RecordedAccounts, fill
from indexer.recording import STORIES, ConflictRecording, EndingRecording, Recording
from ionet import base58
from ionet.program import PROGRAM
from ionet_indexer.api.search import _search
from ionet_indexer.core.decode import decode
from ionet_indexer.core.reader import Reader
from ionet_indexer.postgres import EmbeddedPostgres
from market import key
from solders.pubkey import Pubkey

# Column → the kind of what is found by its value alone.
FOUND = {
    **{f"networks.{role}": "wallet" for role in ("authority", "pauser", "arbiter")},
    **{f"networks.{mint}": "mint" for mint in ("io_mint", "iosd_mint", "usdc_mint")},
    "networks.network": "network",
    "networks.feed_id": "feed",
    "iosd.iosd": "iosd",
    "checkpoint.program": "program",
    "checkpoint.genesis": "chain",
    "transactions.signature": "transaction",
    "models.model": "model",
    "nodes.node": "node",
    "clusters.cluster": "cluster",
    "leases.lease": "lease",
    "cases.case_account": "case",
    "positions.staker_position": "position",
    "stake_moves.staker_position": "position",
    "node_terms.device_key": "device-key",
    "session_keys.session_key": "session-key",
    "networks.genesis_owner": "genesis-owner",
    "node_terms.fee_payer": "fee-payer",
    "node_terms.payout": "payout",
    "nodes.payout": "wallet",
    "payout_locks.payout": "payout",
    "payout_locks.payout_before": "payout",
    "income_vaults.vault": "income-vault",
    "account_totals.wallet": "wallet",
    "owed.owner": "wallet",
    "slashes.reporter": "reporter",
    "rewards.wallet": "giver",
    "leases.ended_by": "ender",
    **{f"{table}.signer": "signer" for table in ("approvals", "disputes", "defences")},
    "cases.arbiter": "arbiter",
    "cases.decided_by": "decider",
    "network_changes.before": "role",
    "network_changes.after": "role",
    "proofs.root": "proof",
    "proofs.proof_head": "proof-head",
    "clusters.config_hash": "config",
    "cases.evidence_hash": "evidence",
    "cases.appeal_hash": "appeal",
    "leases.report_hash": "report",
}
# Name of other columns → the one above that always has their value too.
SAME = {
    "node": "nodes.node",
    "cluster": "clusters.cluster",
    "staker_position": "stake_moves.staker_position",
    "lease": "leases.lease",
    "current_lease": "leases.lease",
    "open_case": "cases.case_account",
    **dict.fromkeys(("owner", "renter", "staker", "wallet", "seller"), "account_totals.wallet"),
    "device_key": "node_terms.device_key",
    "fee_payer": "node_terms.fee_payer",
    "session_key": "session_keys.session_key",
    "mint": "networks.usdc_mint",
    "proof_head": "proofs.proof_head",
    "root": "proofs.root",
    "signature": "transactions.signature",
    "network": "networks.network",
    "payout": "node_terms.payout",
    "pending_role_value": "network_changes.after",
    "subject": "models.model",
    # Of an event, of what is owed, of a place in the standings.
    "entity": "nodes.node",
    "source": "leases.lease",
    "key": "nodes.node",
}
# Told by no event; test_pages uploads them and finds them.
UPLOADED = {"leaves.result_hash", "leaves.task_id"}
NO_KEYS = {
    "heads.blockhash",  # forgotten as soon as it is final; a block is found by its slot
    "schema_migrations.sha256",
    *("status.problem", "index_leases.currency", "upload_nonces.nonce"),
    # Bodies, and what is signed with them.
    *("events.data", "leaf_sets.body", "leaf_sets.blocks", "node_minutes.bits"),
    *("adverts.body", "adverts.content", "adverts.signature", "advert_changes.body", "advert_changes.signature"),
}
TEXTS = {"ModelRegistered.name", "DeviceModel.name"}
_COLUMNS = """
SELECT c.table_name, c.column_name FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND c.data_type IN ('text', 'bytea')
"""


def is_key(value: str | bytes) -> bool:
    """Whether it is an address, a signature or a hash, and not of zeros."""
    if isinstance(value, bytes):
        return len(value) >= 32
    if re.fullmatch("[0-9a-f]{64}", value):
        return set(value) != {"0"}
    try:
        return len(base58.decode(value)) in (32, 64) and set(value) != {"1"}
    except base58.Base58Error:
        return False


async def searched(reader: Reader, value: str | bytes) -> set[str]:
    """Kinds of what is found."""
    async with reader.snapshot() as snapshot:
        text = value.hex() if isinstance(value, bytes) else value
        return {row["kind"] for row in await _search(snapshot, text)}


def fresh(column: str) -> str:
    """A value like those of a column that nothing else has."""
    if re.search("hash|root|head|feed", column):
        return bytes(key(column).pubkey()).hex()
    return str(key(column).sign_message(b"")) if column.endswith("signature") else str(key(column).pubkey())


@pytest.fixture(scope="module")
def stories(recording: Recording, conflicts: ConflictRecording, endings: EndingRecording) -> list[Any]:
    assert len(STORIES) == 3
    return [recording, conflicts, endings]


async def test_every_key_of_every_column_is_found(server: EmbeddedPostgres, stories: list[Any]) -> None:
    """A new column is noticed: it has to be in one of the lists above, unless the stories show words in it."""
    missing, lost, keyed, worded = set[str](), set[str](), set[str](), set[str]()
    for story in stories:
        async with postgres.database(server, TEMPLATE) as dsn, Reader.open(dsn) as reader:
            await fill(dsn, story, RecordedAccounts(story))
            connection = await asyncpg.connect(dsn)
            for table, column in await connection.fetch(_COLUMNS):
                name = f"{table}.{column}"
                sql = f'SELECT DISTINCT "{column}" AS value FROM "{table}" WHERE "{column}" IS NOT NULL LIMIT 200'
                values = [row["value"] for row in await connection.fetch(sql)]
                keys = [value for value in values if is_key(value)]
                keyed |= {name} if keys else set()
                worded |= {name} if values else set()
                if name in NO_KEYS | UPLOADED:
                    continue
                if name not in FOUND and SAME.get(column) not in FOUND:
                    missing.add(name)
                lost |= {f"{name}: {value}" for value in keys if not await searched(reader, value)}
            await connection.close()
    assert missing - (worded - keyed) == set()
    assert lost == set()


async def test_what_a_column_alone_holds_is_found_by_it(server: EmbeddedPostgres, stories: list[Any]) -> None:
    """A value that is nowhere else, in the place of one that is: no other column helps."""
    wrong, tried = set[str](), set[str]()
    for story in stories:
        async with postgres.database(server, TEMPLATE) as dsn, Reader.open(dsn) as reader:
            await fill(dsn, story, RecordedAccounts(story))
            connection = await asyncpg.connect(dsn)
            await connection.execute("SET session_replication_role = replica")  # no trigger tells another table
            for name, kind in FOUND.items():
                table, column = name.split(".")
                one = f"(SELECT ctid FROM {table} WHERE {column} IS NOT NULL LIMIT 1)"
                done = await connection.execute(f"UPDATE {table} SET {column} = $1 WHERE ctid = {one}", fresh(name))
                if done == "UPDATE 1":
                    tried.add(name)
                    found = await searched(reader, fresh(name))
                    wrong |= set() if found == {kind} else {f"{name}: {found}"}
            await connection.close()
    assert wrong == set()
    assert tried == set(FOUND)


def named(value: Any, path: str = "") -> Iterator[tuple[str, str | bytes]]:
    """Every key and every 32 bytes in a value of the program, with its field."""
    if isinstance(value, Pubkey):
        yield path, str(value)
    elif isinstance(value, bytes) and len(value) == 32:
        yield path, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from named(getattr(value, name), f"{path or type(value).__name__}.{name}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from named(each, path)


async def test_every_key_that_stood_in_an_event_or_account_is_found(
    server: EmbeddedPostgres, stories: list[Any]
) -> None:
    """Also what a later event replaced. Of every kind of event and account that the program has."""
    lost, told = set[str](), set[str]()
    for story in stories:
        events = [event.value for each in story.transactions for event in decode(each, PROGRAM.codec)]
        accounts = [PROGRAM.codec.decode_any_account(data) for data in story.accounts.values() if data]
        told |= {type(value).__name__ for value in (*events, *accounts)}
        values = {value: path for each in (*events, *accounts) for path, value in named(each) if path not in TEXTS}
        async with postgres.database(server, TEMPLATE) as dsn, Reader.open(dsn) as reader:
            await fill(dsn, story, RecordedAccounts(story))
            for value, path in values.items():
                if is_key(value.hex() if isinstance(value, bytes) else value) and not await searched(reader, value):
                    lost.add(path)
    assert lost == set()
    idl = PROGRAM.codec.idl
    missing = {item.name for item in (*idl.events, *idl.accounts)} - told
    assert missing == {"Case"}  # closed when they are decided; its events tell all of it
