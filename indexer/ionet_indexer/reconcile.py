"""The tables against the accounts on chain: what events say must be what the program stores.

Accounts are read first, at some slot; then the tables, at that slot or later. A row that changed after the accounts
were read is left for the next time. Of a row that an unknown event has named only `seq` must agree, and that once a
known event followed; a row that an event held back because of one names is not compared. Every other row must agree.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from ionet.codec import ProgramCodec
from ionet.generated import accounts, pdas
from ionet.generated.enums import (
    CaseReason,
    ClusterKind,
    Currency,
    DevicePool,
    EndReason,
    LeaseRole,
    LeaseStatus,
    NetworkRole,
    Profile,
)
from ionet.words import word, words
from solders.pubkey import Pubkey

from ionet_indexer import metrics
from ionet_indexer.core import queries
from ionet_indexer.core.decode import Unread, slot_of
from ionet_indexer.core.keys import key_or_none
from ionet_indexer.core.reader import SQL, Reader, Snapshot
from ionet_indexer.core.rows import State
from ionet_indexer.source.base import AccountSource, SourceError
from ionet_indexer.topics.cases import Case
from ionet_indexer.topics.clusters import Cluster
from ionet_indexer.topics.iosd import Iosd
from ionet_indexer.topics.leases import Lease
from ionet_indexer.topics.network import Model, Network
from ionet_indexer.topics.nodes import Node
from ionet_indexer.topics.stakes import Position

_PATIENCE = 10.0  # seconds that the tables may need to reach the slot of the accounts
# Columns that are null while the events did not tell them.
_NOT_ALWAYS_TOLD = {"last_price", "last_high_price", "burned_secs"}
_UNREAD = queries.load()["unread_names"]
_END = (1 << 63) - 1  # after every position


class Drift(msgspec.Struct, frozen=True):
    """A column that differs from its account; `account` is null when the account does not exist, `stored` when the row
    does not. `entity`: whose events made the row.
    """

    table: str
    key: str
    column: str
    stored: Any
    account: Any
    entity: str

    def __str__(self) -> str:
        return f"{self.table} {self.key} {self.column}: stored {self.stored}, account {self.account}"


def _network(a: accounts.Network) -> dict[str, Any]:
    return {
        "seq": a.seq,
        "authority": str(a.authority),
        "pauser": str(a.pauser),
        "arbiter": str(a.arbiter),
        "io_mint": str(a.io_mint),
        "iosd_mint": str(a.iosd_mint),
        "usdc_mint": str(a.usdc_mint),
        "feed_id": a.feed_id.hex(),
        "io_genesis": a.io_genesis,
        "profile": word(Profile, a.profile),
        "pause_bits": a.pause_bits,
        "pending_params_at": a.pending_effective_at or None,
        "pending_role": word(NetworkRole, a.pending_role) if a.pending_role else None,
        "pending_role_at": a.pending_role_at or None,
    }


def _model(a: accounts.DeviceModel) -> dict[str, Any]:
    return {
        "seq": a.seq,
        "code": a.code,
        "multiplier": a.multiplier,
        "throughput": a.throughput,
        "reference_price": a.reference_price,
        "pool": word(DevicePool, a.pool),
        "enabled": a.enabled == 1,
        "pending_at": a.pending_at or None,
        "pending_pool": word(DevicePool, a.pending_pool) if a.pending_at else None,
        "pending_multiplier": a.pending_multiplier if a.pending_at else None,
        "pending_throughput": a.pending_throughput if a.pending_at else None,
        "pending_reference_price": a.pending_reference_price if a.pending_at else None,
    }


_NODE_COLUMNS = (
    *("seq", "registered_at", "model", "processors", "price", "min_duration", "max_duration", "min_coverage_bps"),
    *("country", "region", "tier", "currencies", "terms_seq", "flags", "slashed", "leases_closed", "served_secs"),
    *("missed_secs", "earned", "earned_io", "owner_bonded_shares", "owner_unbonding_shares", "refill", "co_share_bps"),
    *("pending_co_share_bps", "income_share_bps", "pending_income_share_bps", "reward_per_share", "owner_rewards"),
    *("co_rewards", "co_settled"),
)


def _node(a: accounts.Node) -> dict[str, Any]:
    return {
        **{name: getattr(a, name) for name in _NODE_COLUMNS},
        **{name: str(getattr(a, name)) for name in ("owner", "device_key", "payout", "fee_payer")},
        "current_lease": key_or_none(a.current_lease),
        "bonded": a.bonded.amount,
        "bonded_shares": a.bonded.shares,
        "bonded_era": a.bonded.era,
        "unbonding": a.unbonding.amount,
        "unbonding_shares": a.unbonding.shares,
        "unbonding_era": a.unbonding.era,
        "leases_booked": a.next_lease_number,
        "cases": a.next_case,
        "pending_co_share_at": a.pending_co_share_at or None,
        "payout_locked_until": a.payout_locked_until or None,
        "income": _told(
            (name, bump > 0, *books)
            for name, bump, books in zip(
                words(Currency),
                a.income_vault_bumps,
                zip(a.income_per_share, a.co_income, a.co_income_settled, strict=True),
                strict=True,
            )
        ),
    }


def _told(figures: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Figures by currency; a currency with nothing in it is as none."""
    return sorted(each for each in figures if any(each[1:]))


def _position(a: accounts.StakePosition) -> dict[str, Any]:
    tickets = [(n, x.shares, x.era, x.matures_at, x.lease_over_by or None) for n, x in enumerate(a.tickets) if x.shares]
    return {
        **{name: getattr(a, name) for name in ("shares", "era", "reward_debt", "rewards")},
        "node": str(a.node),
        "staker": str(a.staker),
        "tickets": tickets,
        "income": _told(zip(words(Currency), a.income_debt, a.income, strict=True)),
    }


def _case(a: accounts.Case) -> dict[str, Any]:
    return {
        **{name: getattr(a, name) for name in ("number", "opened_at", "decide_from", "decide_by")},
        "node": str(a.node),
        "arbiter": str(a.arbiter),
        "reason": word(CaseReason, a.reason),
        "evidence_hash": a.evidence_hash.hex(),
        "appeal_hash": a.appeal_hash.hex() if any(a.appeal_hash) else None,
    }


_CLUSTER_COLUMNS = (
    *("seq", "id", "session_expires_at", "opened_at", "deposit", "locked", "paid", "fees", "burned", "refunded"),
    *("leases_booked", "leases_open", "session_changed_at"),
)


def _cluster(a: accounts.Cluster) -> dict[str, Any]:
    return {
        **{name: getattr(a, name) for name in _CLUSTER_COLUMNS},
        "renter": str(a.renter),
        "mint": str(a.mint),
        "kind": word(ClusterKind, a.kind),
        "currency": word(Currency, a.currency),
        "session_key": key_or_none(a.session_key),
        "config_hash": a.config_hash.hex(),
    }


_LEASE_COLUMNS = (
    *("seq", "number", "price", "required_stake", "io_price", "booked_at", "locked", "paid", "supplier_fee"),
    *("renter_fee", "proof_count", "duration", "max_duration", "interval_secs", "processors"),
    *("approved_through", "dispute_bond", "bond_due", "burned", "burned_secs", "unanswered_secs", "rest_secs"),
    *("undefended_secs",),
)


# Restarts of the chain move these. Not every event tells it, so both sides are compared as if they were not moved.
_MOVED = ("started_at", "ends_at")


def _lease(a: accounts.Lease) -> dict[str, Any]:
    return {
        **{name: getattr(a, name) for name in _LEASE_COLUMNS},
        "ready_at": a.ready_at or None,
        **{name: getattr(a, name) - a.moved_secs if getattr(a, name) else None for name in _MOVED},
        "disputed_secs": a.held_secs,
        "dispute_from": a.dispute_from if a.dispute_to else None,
        "dispute_to": a.dispute_to or None,
        "node": str(a.node),
        "cluster": str(a.cluster),
        "role": word(LeaseRole, a.role) if a.role else None,
        "status": word(LeaseStatus, a.status),
        "end_reason": word(EndReason, a.end_reason) if a.end_reason else None,
        "proof_head": a.proof_head.hex() if a.proof_count else None,
    }


def _iosd(a: accounts.Iosd) -> dict[str, Any]:
    names = ("seq", "minted", "redeemed", "io_burned", "io_redeemed", "last_price", "last_high_price")
    return {
        **{name: getattr(a, name) for name in names},
        "last_publish_time": a.last_publish_time,
        "burned": sorted(amount for amount in (a.fee_burned, a.io_other_burned) if amount),
    }


_CHECKS: dict[type[State], tuple[Callable[[Any], dict[str, Any]], str]] = {
    Network: (_network, "true"),
    Model: (_model, "true"),
    Node: (_node, "true"),
    Position: (_position, "NOT closed"),
    Case: (_case, "decided_at IS NULL"),
    Cluster: (_cluster, "status = 'open'"),
    Lease: (_lease, "status <> 'closed'"),
    Iosd: (_iosd, "true"),
}
_ACCOUNTS: dict[type[State], type[Any]] = {
    Network: accounts.Network,
    Model: accounts.DeviceModel,
    Node: accounts.Node,
    Position: accounts.StakePosition,
    Case: accounts.Case,
    Cluster: accounts.Cluster,
    Lease: accounts.Lease,
    Iosd: accounts.Iosd,
}


def compare(row: State, account: Any | None) -> list[Drift]:
    """Columns of a row that differ from its account."""
    key, entity = getattr(row, row.key), getattr(row, row.entity)
    if account is None:
        return [Drift(row.table, key, row.key, key, None, entity)]
    expected = _CHECKS[type(row)][0](account)
    found = {name: getattr(row, name) for name in expected}
    if isinstance(row, Position):
        found["tickets"] = [(x.ticket, x.shares, x.era, x.matures_at, x.lease_over_by) for x in row.tickets]
        found["income"] = _told((x.currency, x.debt, x.waiting) for x in row.income)
    if isinstance(row, Node):
        found["income"] = _told(
            (x.currency, x.vault is not None, x.per_share, x.unclaimed, x.settled) for x in row.income
        )
    if isinstance(row, Lease):
        found |= {name: found[name] - row.moved_secs for name in _MOVED if found[name] is not None}
    if isinstance(row, Iosd):
        found["burned"] = sorted(row.burned.values())
    unknown = {name for name in _NOT_ALWAYS_TOLD & found.keys() if found[name] is None}
    return [
        Drift(row.table, key, name, found[name], expected[name], entity)
        for name in expected
        if found[name] != expected[name] and name not in unknown
    ]


async def reconcile(reader: Reader, source: AccountSource, codec: ProgramCodec) -> list[Drift]:
    """Compare every open row with its account; also refreshes the parameters that no event carries.

    Raises SourceError when the node does not answer or the tables do not reach its slot in time.
    """
    keys = await _open_keys(reader)
    slot, data = await source.accounts([*keys, str(pdas.network(codec.id))])
    on_chain = {key: codec.decode_any_account(raw) for key, raw in data.items() if raw is not None}
    await _wait_for(reader, slot)
    drifts: list[Drift] = []
    async with reader.snapshot() as snapshot:
        for kind, (_, condition) in _CHECKS.items():
            for row in await snapshot.rows(kind, condition):
                key = getattr(row, kind.key)
                if key in data and slot_of(row.position) <= slot:  # type: ignore[attr-defined]
                    found = compare(row, on_chain.get(key))
                    if found:
                        drifts += await _unexplained(snapshot, row, found)
    network = on_chain.get(str(pdas.network(codec.id)))
    if isinstance(network, accounts.Network):
        async with reader.writing() as connection:
            await connection.execute(
                SQL["parameters_set"],
                str(pdas.network(codec.id)),
                slot,
                str(network.params.stake_per_processor),
                network.params.co_stake_max_percent,
                json.dumps(codec.show(network)["params"]),
            )
    metrics.DRIFT_ROWS.set(len({(drift.table, drift.key) for drift in drifts}))
    return drifts


async def strangers(reader: Reader, source: AccountSource, codec: ProgramCodec) -> list[Drift]:
    """Accounts on chain that no open row stands for, nor an event that this version does not know.

    One that has recorded no event has no row yet: the books of IOSD, from the network's foundation to its first price.
    Raises SourceError as `reconcile` does.
    """
    drifts: list[Drift] = []
    for kind, (_, condition) in _CHECKS.items():
        slot, keys = await source.owned(codec.account_discriminator(_ACCOUNTS[kind]))
        await _wait_for(reader, slot)
        async with reader.snapshot() as snapshot:
            sql = f"SELECT {kind.key} AS key FROM {kind.table} WHERE {kind.key} = ANY($1) AND ({condition})"
            open_rows = {row["key"] for row in await snapshot.fetch(sql, keys)}
            missing = [key for key in keys if key not in open_rows]
            unknown = [key for key in missing if not await _is_named(snapshot, key, -1)]
        # Some may have been closed since.
        _, still = await source.accounts(unknown)
        there = {key: codec.decode_any_account(raw) for key in unknown if (raw := still[key]) is not None}
        drifts += [
            Drift(kind.table, key, kind.key, None, key, key)
            for key, account in there.items()
            if getattr(account, "seq", None) != 0
        ]
    return drifts


async def _unexplained(snapshot: Snapshot, row: State, found: list[Drift]) -> list[Drift]:
    """Without the differences that events account for which this version does not know, or which are held back.

    What such an event changed stays wrong, whatever follows; but the number of the event that follows has to be right.
    """
    entity = getattr(row, row.entity)
    if await _is_named(snapshot, entity, row.position):  # type: ignore[attr-defined]
        return []
    return [drift for drift in found if drift.column == "seq"] if await _is_named(snapshot, entity, -1) else found


async def _is_named(snapshot: Snapshot, entity: str, after: int) -> bool:
    key = bytes(Pubkey.from_string(entity))
    found = await snapshot.one(_UNREAD, Unread.__name__, after, _END, key)
    return found is not None and bool(found["named"])


async def _open_keys(reader: Reader) -> list[str]:
    async with reader.snapshot() as snapshot:
        found = [await snapshot.rows(kind, condition) for kind, (_, condition) in _CHECKS.items()]
    return [getattr(row, row.key) for rows in found for row in rows]


async def _wait_for(reader: Reader, slot: int) -> None:
    reached = -1
    for _ in range(int(_PATIENCE / 0.1)):
        async with reader.snapshot() as snapshot:
            reached = snapshot.slot
        if reached >= slot:
            return
        await asyncio.sleep(0.1)
    raise SourceError(f"the tables are at slot {reached} and did not reach {slot} of the accounts in {_PATIENCE:.0f} s")
