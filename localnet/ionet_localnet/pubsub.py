"""Websocket subscriptions: who is notified of which change once its commitment is reached."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet_localnet.chain import Accounts
from ionet_localnet.genesis import wallet
from ionet_localnet.history import TransactionRecord
from ionet_localnet.rpc.account_json import AccountView
from ionet_localnet.rpc.accounts import Filter, compile_filters, reader
from ionet_localnet.rpc.cluster import BlockView
from ionet_localnet.rpc.node import Node, context
from ionet_localnet.rpc.params import Params, RpcError, as_pubkey, invalid
from ionet_localnet.timeline import Commitment

# A client that falls this many messages behind is disconnected: it has lost notifications anyway.
QUEUE_LIMIT = 20_000


class Connection:
    """One websocket: messages queued for it, and its subscriptions."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(QUEUE_LIMIT)
        self.subscriptions: set[int] = set()
        self.overrun = False

    def send(self, message: dict[str, Any]) -> None:
        if self.overrun:
            return
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun = True


@dataclass(slots=True)
class Subscription:
    """One subscription; `filter` and `show` depend on its kind."""

    number: int
    kind: str
    connection: Connection
    commitment: Commitment = "finalized"
    key: Pubkey | None = None
    signature: Signature | None = None
    view: AccountView | None = None
    accepts: Filter = field(default=lambda _account: True)
    block_view: BlockView | None = None


class PubSub:
    """Watches a chain and notifies subscribers; an Observer."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._chain = node.chain
        self._numbers = itertools.count(1)
        self._by_kind: dict[str, dict[int, Subscription]] = {kind: {} for kind in _SUBSCRIBE}
        self._by_signature: dict[Signature, dict[int, Subscription]] = {}
        timeline = self._chain.timeline
        self._told: dict[Commitment, int] = {
            "confirmed": timeline.committed_height("confirmed"),
            "finalized": timeline.committed_height("finalized"),
        }
        self._chain.observer = self

    # Requests

    def request(self, connection: Connection, message: Any) -> None:
        """Answer a subscribe or unsubscribe call on its connection, always before the first notification."""
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            raise RpcError(-32600, "Invalid request")
        name, params = message["method"], Params(message.get("params"))
        if name.endswith("Unsubscribe") and name.removesuffix("Unsubscribe") in _SUBSCRIBE:
            self._unsubscribe(connection, params.u64(0))
            connection.send({"jsonrpc": "2.0", "result": True, "id": message.get("id")})
            return
        kind = name.removesuffix("Subscribe")
        if not name.endswith("Subscribe") or kind not in _SUBSCRIBE:
            raise RpcError(-32601, f"Method not found: {name}")
        subscription = Subscription(next(self._numbers), kind, connection)
        _SUBSCRIBE[kind](self, subscription, params)
        self._by_kind[kind][subscription.number] = subscription
        connection.subscriptions.add(subscription.number)
        connection.send({"jsonrpc": "2.0", "result": subscription.number, "id": message.get("id")})
        if subscription.signature is not None:
            self._watch_signature(subscription, subscription.signature)

    def _unsubscribe(self, connection: Connection, number: int) -> None:
        if number not in connection.subscriptions:
            raise RpcError(-32602, "Invalid subscription id.")
        self._forget(connection, number)

    def _forget(self, connection: Connection, number: int) -> None:
        connection.subscriptions.discard(number)
        for subscriptions in self._by_kind.values():
            gone = subscriptions.pop(number, None)
            if gone is not None and gone.signature is not None:
                waiting = self._by_signature.get(gone.signature, {})
                waiting.pop(number, None)
                if not waiting:
                    self._by_signature.pop(gone.signature, None)

    def disconnect(self, connection: Connection) -> None:
        for number in list(connection.subscriptions):
            self._forget(connection, number)

    def _subscribe_account(self, subscription: Subscription, params: Params) -> None:
        config = params.config(1)
        subscription.key, subscription.commitment = params.pubkey(0), config.commitment()
        subscription.view = AccountView(config, reader(self._node, "processed"), tolerant=True)

    def _subscribe_program(self, subscription: Subscription, params: Params) -> None:
        self._subscribe_account(subscription, params)
        subscription.accepts = compile_filters(params.config(1).get("filters"))

    def _subscribe_logs(self, subscription: Subscription, params: Params) -> None:
        wanted = params.any(0)
        subscription.commitment = params.config(1).commitment()
        if wanted in ("all", "allWithVotes"):
            return
        mentions = wanted.get("mentions") if isinstance(wanted, dict) else None
        if not isinstance(mentions, list) or len(mentions) != 1:
            raise invalid('expected "all" or {"mentions": [one public key]}')
        subscription.key = as_pubkey(mentions[0])

    def _subscribe_signature(self, subscription: Subscription, params: Params) -> None:
        subscription.signature, subscription.commitment = params.signature(0), params.config(1).commitment()

    def _subscribe_block(self, subscription: Subscription, params: Params) -> None:
        wanted, config = params.any(0), params.config(1)
        subscription.commitment = config.commitment()
        if subscription.commitment == "processed":
            raise invalid("blockSubscribe needs commitment confirmed or finalized")
        subscription.block_view = BlockView(config)
        if isinstance(wanted, dict) and "mentionsAccountOrProgram" in wanted:
            subscription.key = as_pubkey(wanted["mentionsAccountOrProgram"])
        elif wanted != "all":
            raise invalid('expected "all" or {"mentionsAccountOrProgram": public key}')

    def _subscribe_plain(self, subscription: Subscription, params: Params) -> None:
        """Slot and root notifications take no parameters."""

    def _watch_signature(self, subscription: Subscription, signature: Signature) -> None:
        self._by_signature.setdefault(signature, {})[subscription.number] = subscription
        record = self._chain.history.get(signature)
        if record is not None and record.height <= self._chain.timeline.committed_height(subscription.commitment):
            self._tell_signature(record, subscription.commitment)

    # Observer

    def landed(self, record: TransactionRecord) -> None:
        self._tell_transaction(record, "processed")

    def changed(self, accounts: Accounts) -> None:
        self._tell_accounts(accounts, "processed", self._chain.slot)

    def rewound(self, height: int) -> None:
        self._told["confirmed"] = min(self._told["confirmed"], height)

    def block_begun(self) -> None:
        timeline = self._chain.timeline
        root = timeline.committed_slot("finalized")
        parent = timeline.slot_at(timeline.height - 1)
        self._notify_all("slot", {"parent": parent, "root": root, "slot": timeline.slot})
        for commitment in ("confirmed", "finalized"):
            reached = timeline.committed_height(commitment)
            for height in range(self._told[commitment] + 1, reached + 1):
                self._tell_block(height, commitment)
            self._told[commitment] = max(self._told[commitment], reached)

    def _tell_block(self, height: int, commitment: Commitment) -> None:
        slot = self._chain.timeline.slot_at(height)
        records = self._chain.history.in_slot(slot)
        for record in records:
            self._tell_transaction(record, commitment)
        self._tell_accounts(self._chain.block_changes(self._chain.timeline.height - height), commitment, slot)
        for subscription in self._of("block", commitment):
            self._notify_block(subscription, height, slot, records)
        if commitment == "finalized":
            self._notify_all("root", slot)

    def _of(self, kind: str, commitment: Commitment) -> list[Subscription]:
        return [found for found in self._by_kind[kind].values() if found.commitment == commitment]

    def _tell_transaction(self, record: TransactionRecord, commitment: Commitment) -> None:
        for subscription in self._of("logs", commitment):
            if subscription.key is None or subscription.key in record.keys:
                value = {"signature": str(record.signature), "err": record.error, "logs": record.logs}
                self._notify(subscription, {"context": context(record.slot), "value": value})
        if record.signature in self._by_signature:
            self._tell_signature(record, commitment)

    def _tell_signature(self, record: TransactionRecord, commitment: Commitment) -> None:
        for subscription in list(self._by_signature[record.signature].values()):
            if subscription.commitment == commitment:
                result = {"context": context(record.slot), "value": {"err": record.error}}
                self._notify(subscription, result)
                self._forget(subscription.connection, subscription.number)

    def _tell_accounts(self, accounts: Accounts, commitment: Commitment, slot: int) -> None:
        for subscription in self._of("account", commitment):
            if subscription.key in accounts and subscription.view and subscription.key is not None:
                # An account that is gone is shown as an empty one.
                value = subscription.view.show(accounts[subscription.key] or wallet(0))
                self._notify(subscription, {"context": context(slot), "value": value})
        programs = self._of("program", commitment)
        if not programs:
            return
        for address, account in accounts.items():
            for subscription in programs:
                if account is not None and account.owner == subscription.key and subscription.accepts(account):
                    self._notify_program(subscription, address, account, slot)

    def _notify_program(self, subscription: Subscription, address: Pubkey, account: Account, slot: int) -> None:
        if subscription.view:
            value = {"pubkey": str(address), "account": subscription.view.show(account)}
            self._notify(subscription, {"context": context(slot), "value": value})

    def _notify_block(
        self, subscription: Subscription, height: int, slot: int, records: list[TransactionRecord]
    ) -> None:
        chosen = [record for record in records if subscription.key is None or subscription.key in record.keys]
        if subscription.block_view is None or (subscription.key is not None and not chosen):
            return
        value: dict[str, Any] = {"slot": slot, "err": None, "block": None}
        try:
            value["block"] = subscription.block_view.show(self._chain.timeline, height, chosen)
        except RpcError:
            value["err"] = {"UnsupportedTransactionVersion": 0}
        self._notify(subscription, {"context": context(slot), "value": value})

    def _notify_all(self, kind: str, result: Any) -> None:
        for subscription in self._by_kind[kind].values():
            self._notify(subscription, result)

    def _notify(self, subscription: Subscription, result: Any) -> None:
        if self._node.faults.loses_notification():
            return
        params = {"result": result, "subscription": subscription.number}
        method = f"{subscription.kind}Notification"
        subscription.connection.send({"jsonrpc": "2.0", "method": method, "params": params})


_SUBSCRIBE: dict[str, Callable[[PubSub, Subscription, Params], None]] = {
    "account": PubSub._subscribe_account,
    "program": PubSub._subscribe_program,
    "logs": PubSub._subscribe_logs,
    "signature": PubSub._subscribe_signature,
    "block": PubSub._subscribe_block,
    "slot": PubSub._subscribe_plain,
    "root": PubSub._subscribe_plain,
}
