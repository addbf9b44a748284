"""What a booking would cost at most, from the chain alone. The indexer's word is not needed for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from solders.pubkey import Pubkey

from ionet.client import Client
from ionet.errors import InvalidInput, NotFound
from ionet.generated.accounts import Node
from ionet.generated.enums import Currency
from ionet.rules.pricing import earned, fee_on
from ionet.words import parse

IN_DOLLARS = ("IOSD", "USDC")


class Part(msgspec.Struct, frozen=True):
    """One node. price: micro-dollars per processor-hour. cost, fee: base units for the whole time."""

    node: Pubkey
    model: int
    processors: int
    country: int
    price: int
    cost: int
    fee: int


class Quote(msgspec.Struct, frozen=True):
    """duration: seconds. min_charge_secs: time at the start of which nothing is refunded to a renter who ends early."""

    parts: tuple[Part, ...]
    currency: str
    duration: int
    min_charge_secs: int

    @property
    def nodes(self) -> list[Pubkey]:
        return [part.node for part in self.parts]

    @property
    def cost(self) -> int:
        return sum(part.cost for part in self.parts)

    @property
    def fee(self) -> int:
        return sum(part.fee for part in self.parts)

    @property
    def total(self) -> int:
        """What the bookings lock: a budget of so much is enough, and no more can be taken of it."""
        return self.cost + self.fee

    @property
    def hourly(self) -> int:
        """Base units per hour, before the fee."""
        return sum(part.price * part.processors for part in self.parts)


async def quote(client: Client, nodes: Sequence[Pubkey], duration: int, currency: str = "IOSD") -> Quote:
    """The most that leasing these nodes for `duration` seconds can cost. Raises NotFound, InvalidInput.

    currency: IOSD or USDC; both are dollars, as prices are. InvalidInput names a node that cannot be booked, and why.
    """
    wanted = list(dict.fromkeys(nodes))
    if not wanted:
        raise InvalidInput("name at least one node")
    if currency not in IN_DOLLARS:
        raise InvalidInput(f"currency {currency!r}; quotes are in {' or '.join(IN_DOLLARS)}")
    bit, params = parse(Currency, currency, "currency"), (await client.network.get()).params
    found = await client.fetch_many(Node, wanted)
    missing = [key for key, node in zip(wanted, found, strict=True) if node is None]
    if missing:
        raise NotFound(f"node {', '.join(map(str, missing))}")
    known = [node for node in found if node is not None]
    states = await client.node.states(known)
    bps = params.renter_fee_bps + (params.usdc_fee_bps if currency == "USDC" else 0)
    parts = []
    for key, node, state in zip(wanted, known, states, strict=True):
        _check(key, node, state, bit, duration)
        cost = earned(node.price, node.processors, duration)
        parts.append(Part(key, node.model, node.processors, node.country, node.price, cost, fee_on(cost, bps)))
    return Quote(tuple(parts), currency, duration, params.min_charge_secs)


def _check(key: Pubkey, node: Node, state: str, currency: Currency, duration: int) -> None:
    if state != "free":
        raise InvalidInput(f"node {key} cannot be booked now: it is {state}")
    if not node.currencies & currency:
        raise InvalidInput(f"node {key} does not take {currency.name}")
    if not node.min_duration <= duration <= node.max_duration:
        raise InvalidInput(f"node {key} is leased for {node.min_duration} to {node.max_duration} s, not {duration}")
