"""A trace checked against the chain alone: of the indexer's answer nothing is believed, and nothing is left out.

The chain's own numbering of events proves that the node showed all of them; the heads of the proofs, each a hash over
the one before, that none was altered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta

from ionet.chain import FETCHED_AT_ONCE, Chain
from ionet.events import events_in_transaction
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import Currency
from ionet.generated.events import (
    ClusterOpened,
    DeviceKeyRotated,
    LeaseBooked,
    NodeRegistered,
    NodeUpdated,
    ProofAppended,
)
from ionet.generated.types import ProofEntry
from ionet.rules.disputes import START, next_head
from ionet.rules.lease_log import Log, log_of
from ionet.trace import ApiError, Occurrence, TraceRefused, dispute_of, verify
from ionet.words import word


class Seen(msgspec.Struct, frozen=True):
    """An event and the transaction that recorded it."""

    event: Any
    signature: Signature
    answer: EncodedConfirmedTransactionWithStatusMeta
    outer: int
    inner: int


class Histories:
    """Every event of the entities that are asked for, each read over the RPC once."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._read: dict[tuple[Pubkey, str], list[Seen]] = {}
        self._leases: dict[Pubkey, tuple[list[Seen], Log]] = {}

    async def of(self, key: Pubkey, entity: str) -> list[Seen]:
        """In order."""
        if (key, entity) not in self._read:
            self._read[key, entity] = await history(self.chain, key, entity, None)
        return self._read[key, entity]

    async def lease(self, key: Pubkey) -> tuple[list[Seen], Log]:
        """All of a lease, each head of its proofs checked, and what it says of the intervals. Raises TraceRefused."""
        if key not in self._leases:
            seen = await history(self.chain, key, "lease", "seq")
            await _check_chain(self.chain, key, seen)
            self._leases[key] = seen, log_of([each.event for each in seen])
        return self._leases[key]


async def verify_all(histories: Histories, item: Occurrence, result_hash: bytes) -> None:
    """Check every field of one occurrence against the chain, over its RPC alone. Raises TraceRefused, or ApiError.

    The path has to lead to the root; the root's transaction to have succeeded, to be signed by the device key that the
    node had, and to have recorded the proof through this program; the proof to be a link of the lease's whole chain,
    and the last one of its interval. Node, owner, renter, price, amount and settlement have to be what events say.
    Occurrences that are checked with the same histories share what they read.
    """
    chain = histories.chain
    await verify(chain, item, result_hash)
    try:
        lease, node, cluster = (Pubkey.from_string(key) for key in (item.lease, item.node, item.cluster))
    except ValueError as error:
        raise ApiError(f"malformed answer ({error})") from None
    seen, log = await histories.lease(lease)
    proof = _proof(item, seen)
    of_node = await histories.of(node, "node")
    _check_signer(item, proof, of_node)
    opened = [each.event for each in await histories.of(cluster, "cluster")]
    expected = {
        **_booked(item, seen, pdas.node(chain.program.id, _first_key(of_node))),
        **_node_now(of_node),
        **_cluster(opened),
        **_money(item, seen, log),
        **_told(proof),
    }
    for name, value in expected.items():
        told = getattr(item.proof, name) if hasattr(item.proof, name) else getattr(item, name)
        if told != value:
            raise TraceRefused(f"lease {lease}, interval {item.interval}: {name} is {value}, not {told}")


async def history(chain: Chain, key: Pubkey, entity: str, numbered: str | None) -> list[Seen]:
    """See `Histories`."""
    found: list[Seen] = []
    async for page in chain.rpc.signatures(key):
        for start in range(0, len(page), FETCHED_AT_ONCE):
            chunk = page[start : start + FETCHED_AT_ONCE]
            for signature, answer in zip(
                chunk, await asyncio.gather(*map(chain.rpc.landed_transaction, chunk)), strict=True
            ):
                records = events_in_transaction(chain.program.codec, answer)
                found += [
                    Seen(record.event, signature, answer, record.outer_index, record.inner_index)
                    for record in reversed(records)
                    if getattr(record.event, entity, None) == key
                ]
    found.reverse()
    if numbered is not None:
        own = [each for each in found if type(each.event).__match_args__[0] == entity]
        own.sort(key=lambda each: getattr(each.event, numbered))
        if [getattr(each.event, numbered) for each in own] != list(range(1, len(own) + 1)):
            raise TraceRefused(f"the node does not show every event of {entity} {key}")
        return own
    return found


def _proof(item: Occurrence, seen: Sequence[Seen]) -> Seen:
    """The last proof of the interval, which has to be the one that was told."""
    proofs = [each for each in seen if isinstance(each.event, ProofAppended) and each.event.interval == item.interval]
    if not proofs or str(proofs[-1].signature) != item.proof.signature:
        raise TraceRefused(
            f"transaction {item.proof.signature} does not hold the last proof of interval {item.interval}"
        )
    return proofs[-1]


async def _check_chain(chain: Chain, lease: Pubkey, seen: Sequence[Seen]) -> None:
    """Each head is the hash over the one before and its proof; the account, while there is one, has the last."""
    head = START
    for event in (each.event for each in seen if isinstance(each.event, ProofAppended)):
        head = next_head(
            head,
            ProofEntry(interval=event.interval, served_secs=event.served_secs, gpu_ms=event.gpu_ms, root=event.root),
        )
        if head != event.proof_head:
            raise TraceRefused(f"lease {lease}: the chain of proofs breaks at interval {event.interval}")
    account = await chain.find(Lease, lease)
    if account is not None and account.proof_head != head:
        raise TraceRefused(f"lease {lease}: its account has another proof than the last that was shown")


def _first_key(of_node: Sequence[Seen]) -> Pubkey:
    for each in of_node:
        if isinstance(each.event, NodeRegistered):
            return each.event.device_key
    raise TraceRefused("the chain has no such node")


def _check_signer(item: Occurrence, proof: Seen, of_node: Sequence[Seen]) -> None:
    """The device key that the node had signed the transaction of the proof."""
    keys = {_first_key(of_node)}
    for each in of_node:
        if isinstance(each.event, DeviceKeyRotated) and each.event.at <= proof.event.at:
            # Of the second of the proof the key before is possible too.
            keys = {each.event.after} | ({each.event.before} if each.event.at == proof.event.at else set())
    transaction = proof.answer.transaction.transaction
    assert isinstance(transaction, VersionedTransaction)  # events were read from it
    message = transaction.message
    signers = set(message.account_keys[: message.header.num_required_signatures])
    if not keys & signers:
        raise TraceRefused(f"transaction {item.proof.signature} is not signed by the device key of node {item.node}")


def _booked(item: Occurrence, seen: Sequence[Seen], node: Pubkey) -> dict[str, Any]:
    for each in seen:
        if isinstance(each.event, LeaseBooked):
            event = each.event
            if event.node != node:
                raise TraceRefused(f"lease {item.lease} is of node {event.node}, whose first device key is another")
            return {
                "node": str(event.node),
                "cluster": str(event.cluster),
                "lease_number": str(event.number),
                "processors": event.processors,
                "price": str(event.price),
            }
    raise TraceRefused(f"the chain has no booking of lease {item.lease}")


def _node_now(of_node: Sequence[Seen]) -> dict[str, Any]:
    """What the node is now."""
    now: dict[str, Any] = {}
    for event in (each.event for each in of_node):
        if isinstance(event, NodeRegistered):
            now = {"owner": str(event.owner), "model": event.model}
        if isinstance(event, NodeRegistered | NodeUpdated):
            now["country"] = event.country
        if isinstance(event, NodeRegistered):
            now["device_key"] = str(event.device_key)
        if isinstance(event, DeviceKeyRotated):
            now["device_key"] = str(event.after)
    return now


def _cluster(events: Sequence[Any]) -> dict[str, Any]:
    for event in events:
        if isinstance(event, ClusterOpened):
            return {"renter": str(event.renter), "currency": word(Currency, event.currency)}
    raise TraceRefused("the chain has no such cluster")


def _money(item: Occurrence, seen: Sequence[Seen], log: Log) -> dict[str, Any]:
    """Times, amount and settlement, from all events of the lease."""
    found = log.intervals[item.interval]
    paid = None if found.payment is None else seen[found.payment]
    settlement = item.settlement
    if (settlement and (settlement.signature, settlement.at)) != (paid and (str(paid.signature), paid.event.at)):
        by = paid.signature if paid else "nobody yet"
        raise TraceRefused(f"lease {item.lease}, interval {item.interval} was paid by {by}")
    start, end = log.bounds(item.interval)
    return {
        "interval_start": start,
        "interval_end": end,
        "amount": str(found.amount),
        "paid": str(found.amount if paid else 0),
        "dispute": dispute_of(found.challenge),
    }


def _told(proof: Seen) -> dict[str, Any]:
    event = proof.event
    return {
        "slot": proof.answer.slot,
        "outer_ix": proof.outer,
        "inner_ix": proof.inner,
        "at": event.at,
        "served_secs": event.served_secs,
        "gpu_ms": str(event.gpu_ms),
        "proof_head": event.proof_head.hex(),
    }
