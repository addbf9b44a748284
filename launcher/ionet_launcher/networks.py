"""Joins the members of a cluster in a network of their own, and finds who of them is to be the head.

Agents offer how their nodes can be joined, and each is told of all others. Then each says how far it is to the others,
and of two the longer time counts, so that nobody makes itself nearer than others see it. The head is the one to which
the others are nearest; who is too far from it is refused. All this is before anything is started.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from ionet.agent_errors import AgentError
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.overlay import MOST_RELAYS, Network, NetworkPeer, Offer, address_of
from solders.pubkey import Pubkey

from ionet_launcher.calls import Calls, Late
from ionet_launcher.keeping import Work
from ionet_launcher.look import Look, may_start
from ionet_launcher.members import trouble_with
from ionet_launcher.phases import Reason, Trouble

MOST_MS = 50.0
"""Milliseconds there and back to the head, beyond which a node is refused: a task of Ray takes several ways."""
# How long nodes may take to find each other before one that does not is in trouble, and how long one has to be too far.
JOIN_SECS, FAR_SECS = 20.0, 8.0


@dataclass
class Joining:
    """waits: nothing can be started yet. may: leases that may start, None for all. refused: whom to reject, and why."""

    waits: bool = False
    may: set[Pubkey] | None = None
    refused: dict[Pubkey, str] = field(default_factory=dict)

    def starts(self, lease: LeaseView) -> bool:
        return self.may is None or lease.address in self.may


class Networks:
    """most_ms: the longest way to a head, None for any."""

    def __init__(self, calls: Calls, most_ms: float | None = MOST_MS) -> None:
        self._calls, self._most_ms = calls, most_ms

    async def review(self, work: Work, look: Look, reserved: Sequence[LeaseView]) -> Joining:
        """Go on with it. The head, once it is found, is the first of the look's leases."""
        offers, age = _offers(work, look, reserved)
        if not offers:
            return Joining()
        kept = {lease: msgspec.json.encode(offer).decode() for lease, offer in offers.items()}
        if kept != {lease: text for lease, (text, _) in work.row.offers.items()}:
            await work.set_offers(kept)
        _leave_out(look, reserved)
        told = _networks(reserved, offers)
        joined = await self._join(look, reserved, told)
        ways = _Ways({lease.address: _said(look, lease) for lease in joined})
        meters = any(lease.status == LeaseStatus.ACTIVE for lease in look.live)
        decided = meters or work.row.head == str(look.live[0].address)
        head = look.live[0] if decided else ways.best(joined)
        late = [lease for lease in reserved if lease not in joined or (head and ways.unknown(head, lease))]
        if not decided:
            if head is None or not may_start(look.live, look.view.now) or (late and age < JOIN_SECS):
                if age >= JOIN_SECS:
                    _in_trouble(look, late, None)
                return Joining(waits=True, may=set())
            await work.set_head(str(head.address))
            look.put_first(head.address)
        assert head is not None
        if age >= JOIN_SECS:
            _in_trouble(look, [lease for lease in late if lease.status != LeaseStatus.ACTIVE], head)
        refused = self._too_far(look, [lease for lease in joined if lease not in late], head, ways)
        may = {lease.address for lease in joined if lease not in late and lease.address not in look.troubles}
        return Joining(may=may, refused=refused)

    async def _join(self, look: Look, reserved: Sequence[LeaseView], told: Mapping[Pubkey, Network]) -> list[LeaseView]:
        """Tell those that do not know; returns those that do."""
        joined: list[LeaseView] = []

        async def tell(lease: LeaseView) -> None:
            wanted, offer = told[lease.address], look.statuses[lease.address].network
            assert offer is not None
            if offer.joined == wanted.digest:
                joined.append(lease)
                return
            about = (lease.address, wanted.digest)
            try:
                await self._calls.answer(lease.node, "network", lambda agent: agent.network(wanted), about, quick=False)
            except Late:
                pass  # its status will say so
            except AgentError as error:
                look.troubles[lease.address] = trouble_with(lease, error)

        await asyncio.gather(*(tell(lease) for lease in reserved if lease.address in look.statuses))
        return sorted(joined, key=lambda lease: bytes(lease.address))

    def _too_far(self, look: Look, joined: Sequence[LeaseView], head: LeaseView, ways: _Ways) -> dict[Pubkey, str]:
        """Whom to refuse; they are in trouble first, in case it was a bad moment."""
        refused: dict[Pubkey, str] = {}
        for lease in joined:
            took = ways.between(head, lease) if lease is not head else None
            if lease.status == LeaseStatus.ACTIVE or took is None or self._most_ms is None or took <= self._most_ms:
                continue
            why = f"node {lease.node}: {took:.0f} ms to the head and back, at most {self._most_ms:g} ms are allowed"
            look.troubles[lease.address] = Trouble(Reason.TOO_FAR, why, lease.address)
            if lease.status == LeaseStatus.READY and look.before.get(str(lease.address), 0) > FAR_SECS:
                refused[lease.address] = why
        return refused


class _Ways:
    """How long it takes between two members, in milliseconds. said: lease → what its agent says, by the others'."""

    def __init__(self, said: Mapping[Pubkey, Mapping[str, float]]) -> None:
        self._said = said

    def between(self, one: LeaseView, other: LeaseView) -> float | None:
        """The longer of what both say; None until they do."""
        there, back = (self._said.get(a.address, {}).get(str(b.address)) for a, b in ((one, other), (other, one)))
        return None if there is None or back is None else max(there, back)

    def unknown(self, one: LeaseView, other: LeaseView) -> bool:
        return one is not other and self.between(one, other) is None

    def best(self, leases: Sequence[LeaseView]) -> LeaseView | None:
        """The one that most are connected to, and of those the nearest; of equals the first."""

        def worth(lease: LeaseView) -> tuple[int, float]:
            every = (self.between(lease, other) for other in leases if other is not lease)
            known = [took for took in every if took is not None]
            return -len(known), statistics.median(known) if known else 0.0

        return min(leases, key=worth, default=None)


def _offers(work: Work, look: Look, reserved: Sequence[LeaseView]) -> tuple[dict[str, Offer], float]:
    """By lease, of those that are silent what they said last; and for how many seconds nothing has changed."""
    offers: dict[str, Offer] = {}
    age = float("inf")
    for lease in reserved:
        name, status = str(lease.address), look.statuses.get(lease.address)
        text, secs = work.row.offers.get(name, ("", 0.0))
        if status is not None and status.network is not None:
            offers[name] = status.network.place
            age = min(age, secs if text == msgspec.json.encode(offers[name]).decode() else 0.0)
        elif status is None and text:
            offers[name] = msgspec.json.decode(text, type=Offer)
            age = min(age, secs)
    return offers, age


def _leave_out(look: Look, reserved: Sequence[LeaseView]) -> None:
    """Those that answer, but cannot be joined, go on without."""
    for lease in reserved:
        status = look.statuses.get(lease.address)
        if status is None:
            continue
        address = address_of(str(lease.address))
        if status.network is None:
            trouble = Trouble(Reason.NO_NETWORK, f"node {lease.node}: it joins no cluster's network", lease.address)
        elif status.ip != address:
            text = f"node {lease.node}: says that its ip is {status.ip}, not {address}"
            trouble = Trouble(Reason.BAD_ANSWER, text, lease.address)
        else:
            continue
        del look.statuses[lease.address]
        look.troubles[lease.address] = trouble


def _networks(reserved: Sequence[LeaseView], offers: Mapping[str, Offer]) -> dict[Pubkey, Network]:
    """What each has to know, by lease."""
    order = sorted(reserved, key=lambda lease: bytes(lease.address))
    known = {str(lease.address): lease for lease in order if str(lease.address) in offers}
    nth = [[offers[name].relays[n : n + 1] for name in known] for n in range(2)]
    relays = list(dict.fromkeys(place for each in nth for places in each for place in places))[:MOST_RELAYS]
    peers = {}
    for name, lease in known.items():
        peers[name] = NetworkPeer(name, str(lease.node), offers[name].key, offers[name].endpoint)
    return {
        lease.address: Network(
            str(lease.address), [peer for name, peer in peers.items() if name != str(lease.address)], relays
        )
        for lease in order
    }


def _said(look: Look, lease: LeaseView) -> Mapping[str, float]:
    offer = look.statuses[lease.address].network
    return {} if offer is None else offer.latencies


def _in_trouble(look: Look, late: Sequence[LeaseView], head: LeaseView | None) -> None:
    for lease in late:
        to = "" if head is None or head is lease else f" to node {head.node}"
        text = f"node {lease.node}: there is no way{to} in the cluster's network yet"
        look.troubles.setdefault(lease.address, Trouble(Reason.NO_NETWORK, text, lease.address))
