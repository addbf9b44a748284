"""What the tools do: the client package's own calls, and a ledger that is asked before money is committed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ionet import offers, resolve
from ionet.booking import BookingStopped
from ionet.cli import human
from ionet.client import Client
from ionet.errors import ChainRefused, IonetError, TransactionExpired
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Renter
from ionet.generated.events import ClusterClosed
from ionet.launcher_advert import free_key
from ionet.launcher_api import LauncherClient
from ionet.quote import Quote, quote
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_mcp import answers
from ionet_mcp.ledger import Booking, Ledger
from ionet_mcp.policy import Policy

QUOTE_SECS = 600
# A cluster that the chain does not have this long after its transaction was made never comes: a blockhash lasts two
# minutes at the slowest.
NEVER_SECS = 600
_MOST_FOUND, _MOST_QUOTES = 50, 100
_SESSION_SECS = 24 * 3600


class UnknownQuote(IonetError):
    """there is no such quote, or it is too old; ask for another"""


class PriceChanged(IonetError):
    """this costs more than it did when it was quoted; ask for another quote"""


@dataclass(frozen=True)
class Pending:
    """A quote that may be booked."""

    quote: Quote
    expires_at: int
    question: str


@dataclass
class Desk:
    """One wallet on one chain. api: address of an indexer. launcher: of a launcher's API, None for none."""

    client: Client
    keypair: Keypair
    api: str
    launcher: str | None
    ledger: Ledger
    policy: Policy
    pending: dict[str, Pending] = field(default_factory=dict)
    _booking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def search(
        self, model: str | None, max_price: int | None, country: str | None, processors: int | None
    ) -> answers.Search:
        """max_price: micro-dollars per processor-hour."""
        filters = {}
        if model is not None:
            filters["model"] = str(resolve.model(model, await self._models()))
        if max_price is not None:
            filters["max_price"] = str(max_price)
        if country is not None:
            filters["country"] = str(resolve.country(country))
        if processors is not None:
            filters["min_processors"] = str(processors)
        found = await offers.fetch(self.api, **filters)
        shown = [
            answers.Found(
                offer.node,
                offer.model_name or str(offer.model),
                offer.processors,
                human.hourly(int(offer.price)),
                human.country(offer.country),
                list(offer.currencies),
                offer.min_duration,
                offer.max_duration,
            )
            for offer in found[:_MOST_FOUND]
        ]
        return answers.Search(shown, len(found) - len(shown))

    async def quote(self, nodes: Sequence[Pubkey], seconds: int, currency: str) -> answers.Quoted:
        """Raises InvalidInput where the nodes cannot be booked now."""
        made = await quote(self.client, nodes, seconds, currency)
        name, now = secrets.token_hex(8), int(time.time())
        self.pending = {key: item for key, item in self.pending.items() if item.expires_at > now}
        while len(self.pending) >= _MOST_QUOTES:
            del self.pending[next(iter(self.pending))]
        models = await self._models()
        self.pending[name] = Pending(made, now + QUOTE_SECS, _question(made, models))
        return answers.Quoted(
            quote=name,
            nodes=[
                answers.QuotedNode(
                    str(part.node),
                    models.get(part.model, str(part.model)),
                    part.processors,
                    human.country(part.country),
                    human.hourly(part.price),
                    human.money(part.cost, currency),
                )
                for part in made.parts
            ],
            seconds=seconds,
            hourly=human.money(made.hourly, currency),
            fee=human.money(made.fee, currency),
            total=human.money(made.total, currency),
            not_refunded_secs=made.min_charge_secs,
            expires_at=now + QUOTE_SECS,
            asks=self.policy.asks(made.total),
            left_to_spend=human.dollars(self.ledger.left()),
        )

    def pending_quote(self, name: str) -> Pending:
        """Raises UnknownQuote."""
        found = self.pending.get(name)
        if found is None or found.expires_at <= time.time():
            raise UnknownQuote
        return found

    async def book(self, name: str) -> answers.Booked:
        """Open a budget of the quoted total and book its nodes. A quote can be booked once.

        Raises OverLimit, PriceChanged, UnknownQuote, and what the chain says; then nothing stays booked.
        """
        # One after the other: the next cluster's number is only known once the one before is there.
        async with self._booking:
            await self.reconcile()
            wanted = self.pending_quote(name).quote
            now = await quote(self.client, wanted.nodes, wanted.duration, wanted.currency)
            if now.total > wanted.total:
                raise PriceChanged
            session_key = await self._session_key()
            number = await self.client.cluster.next_id()
            cluster = self.client.cluster.address(self.client.address, number)
            self.ledger.reserve(str(cluster), number, wanted.total)
            self.pending.pop(name, None)
            await self._open(cluster, number, wanted, session_key)
            return await self._add(cluster, wanted, session_key)

    async def _open(self, cluster: Pubkey, number: int, wanted: Quote, session_key: Pubkey | None) -> None:
        expires = int(time.time()) + wanted.duration + _SESSION_SECS if session_key else 0
        plan = self.client.cluster.open(
            wanted.total,
            currency=wanted.currency,
            session_key=session_key,
            session_expires_at=expires,
            number=number,
        )
        try:
            await plan
        except (ChainRefused, TransactionExpired):
            # It did not land and never will. What else may go wrong leaves it counted.
            if await self.client.find(Cluster, cluster) is None:
                self.ledger.release(str(cluster))
            raise

    async def _add(self, cluster: Pubkey, wanted: Quote, session_key: Pubkey | None) -> answers.Booked:
        try:
            dearest = max(part.price for part in wanted.parts)
            booked = await self.client.cluster.add_leases(
                cluster, wanted.nodes, duration=wanted.duration, max_price=dearest
            )
            left_out = booked.left_out
        except BookingStopped as stopped:
            booked = stopped.booking
            left_out = dict.fromkeys(set(wanted.nodes) - booked.leases.keys(), stopped.cause) | booked.left_out
        if not booked.leases:
            await self._give_back(cluster)
            raise next(iter(left_out.values()))
        starts = "the launcher starts the nodes; call status until its phase is running"
        nobody = "no launcher is configured here: the leases end by themselves unless one starts them"
        return answers.Booked(
            str(cluster),
            human.money(wanted.total, wanted.currency),
            {str(node): str(lease) for node, lease in booked.leases.items()},
            {str(node): str(why) for node, why in left_out.items()},
            starts if session_key else nobody,
        )

    async def _give_back(self, cluster: Pubkey) -> None:
        """Close a cluster in which nothing was booked."""
        closed = (await self.client.cluster.close(cluster)).event(ClusterClosed)
        self.ledger.closed(str(cluster), closed.deposit - closed.refunded)

    async def reconcile(self) -> None:
        """Correct the count from the chain: budgets that were closed, by whomever, or never opened."""
        for booking in self.ledger.open_bookings():
            key = Pubkey.from_string(booking.cluster)
            if await self.client.find(Cluster, key) is None:
                await self._account_for(key, booking)

    async def _account_for(self, key: Pubkey, booking: Booking) -> None:
        renter = await self.client.find(Renter, pdas.renter_account(self.client.program.id, self.client.address))
        if renter is None or renter.next_cluster_id <= booking.number:
            if time.time() - booking.at > NEVER_SECS:
                self.ledger.release(booking.cluster)
            return
        for event in await self.client.recent_events(key):
            if isinstance(event, ClusterClosed) and event.cluster == key:
                self.ledger.closed(booking.cluster, event.deposit - event.refunded)
                return

    async def _session_key(self) -> Pubkey | None:
        """The address that a cluster names so that the launcher serves it."""
        if self.launcher is None:
            return None
        async with LauncherClient(self.launcher) as asked:
            return await free_key(asked)

    async def _models(self) -> dict[int, str]:
        return await self.client.network.model_names()


def _question(made: Quote, models: dict[int, str]) -> str:
    """What a person is asked; the same for as long as the quote lasts."""
    nodes = ", ".join(
        f"{part.processors} x {models.get(part.model, part.model)} in {human.country(part.country)}"
        f" at {human.hourly(part.price)} ({part.node})"
        for part in made.parts
    )
    total, span = human.money(made.total, made.currency), human.span(made.duration)
    return f"Rent {nodes} for {span}? At most {total} in all, fee included."
