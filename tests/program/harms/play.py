"""One attack, played against the program: who loses what of it, in base units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import LeaseSettled
from program import calls, disputes
from program.calls import IO, USD, ata
from program.chain import who
from program.lives.table import SECS, Table
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, required_stake
from solders.keypair import Keypair
from solders.pubkey import Pubkey

STAKE = required_stake(H100, 8)
NOBODY_SILENT: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tokens:
    """Base units of IOSD and of IO; below zero where somebody gained."""

    usd: int = 0
    io: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.usd + other.usd, self.io + other.io)

    @property
    def lost(self) -> Tokens:
        """Without what was gained."""
        return Tokens(max(0, self.usd), max(0, self.io))


class Play:
    """A lease with everybody at it. Whoever is not among the attackers does what is right at once: the supplier proves,
    defends, and leaves as the agent does; the renter checks, challenges and disputes."""

    def __init__(self, *, price: int = 2, co_stake: int = 16_000, alone: bool = False, deposit: int = 5_000) -> None:
        """price: dollars of a processor's hour. alone: owner and renter are one."""
        self.owner = who("owner")
        self.renter = self.owner if alone else who("renter")
        self.table = Table(self.owner, self.renter, price * USD_UNIT, co_stake, deposit)
        self.world, self.lease = self.table.world, self.table.lease
        self.co_staker, self.stranger = self.table.other.owner, self.world.stranger
        self.hourly = price * 8 * USD_UNIT
        self.given = 0
        """Seconds that the supplier really served, or held the node for a renter who did not answer."""
        self.silent: list[int] = []
        self._put_in = Counter({(self.owner.pubkey(), IO): STAKE, (self.co_staker.pubkey(), IO): self.table.co_stake})
        self._put_in[self.renter.pubkey(), USD] += deposit * USD_UNIT
        self._before = self._holdings()

    # -- what happens

    def serve(self, intervals: int, silent: Iterable[int] = NOBODY_SILENT) -> bool:
        """More intervals, really served and proven; no challenge comes in those named. False when the agent left."""
        for _ in range(intervals):
            found = self.world.of(self.lease)
            interval = (self.world.now - found.started_at) // SECS
            self.world.warp_to(found.started_at + (interval + 1) * SECS)
            unanswered = interval in silent
            assert self.table.prove(session=who("nobody") if unanswered else None)
            self.given += SECS
            self.silent += [interval] * unanswered
            if leaves(self.world.of(self.lease), self.silent, self.world.now):
                self.table.do(disputes.leave_lease(self.lease, self.lease.node.device))
                return False
        return True

    def claim(self, intervals: int) -> None:
        """Proofs of time that nobody served, each disputed as soon as it can be; what can be shown is defended."""
        for _ in range(intervals):
            self.world.warp(SECS)
            assert self.table.prove(session=who("nobody"))
            self.table.dispute_all()
            self.table.defend()

    def wait(self, intervals: int = 20) -> None:
        """What is disputed is decided; what can be disputed is."""
        for _ in range(intervals):
            self.world.warp(SECS)
            self.table.dispute_all()
            self.table.defend()

    def settle(self) -> None:
        self.table.do(calls.settle_lease(self.lease))

    # -- what it came to

    def losses(self, attackers: Iterable[Keypair], used: bool) -> tuple[Tokens, Tokens]:
        """What the attackers lost together, and what everybody else did, who cannot make up for another's loss.

        A renter who attacks and used the node bought what they paid the supplier for; any other renter bought what the
        supplier served. A supplier lost the price of what they gave and were not paid for. Fees of a lease that was
        paid are its price and nobody's loss, but for a node that was paid and not used.
        """
        inside = {key.pubkey() for key in attackers}
        everybody = dict.fromkeys((self.owner, self.renter, self.co_staker, self.stranger))
        mine, others = Tokens(), Tokens()
        for key in everybody:
            one = key.pubkey()
            lost = Tokens(self._lost(one, USD), self._lost(one, IO))
            if key is self.renter:
                lost += Tokens(-self._bought(one in inside, used))
            if key is self.owner:
                lost += Tokens(self.price(self.given) - self._settled("supplier_fee"))
            if one in inside:
                mine += lost
            else:
                others += lost.lost
        return mine, others

    def price(self, secs: int) -> int:
        return self.hourly * secs // HOUR

    def _bought(self, attacks: bool, used: bool) -> int:
        paid, fee = self.table.paid(), self._settled("renter_fee")
        if attacks:
            return (paid + fee) * used
        return self.price(self.given) + fee

    def _settled(self, field: str) -> int:
        """Sum of a fee over all settlements."""
        return sum(getattr(event, field) for event in self.table.events if isinstance(event, LeaseSettled))

    def _lost(self, person: Pubkey, mint: Pubkey) -> int:
        return self._put_in[person, mint] + self._before[person, mint] - self._holdings()[person, mint]

    def _holdings(self) -> Counter[tuple[Pubkey, Pubkey]]:
        people = {key.pubkey() for key in (self.owner, self.renter, self.co_staker, self.stranger)}
        return Counter({(key, mint): self.world.tokens(ata(key, mint)) for key in people for mint in (IO, USD)})


def leaves(found: Lease, silent: list[int], now: int) -> bool:
    """The agent's rule (`ionet_agent.leaver`): two of the last eight had no challenge, one more would bring lost time
    to 45 minutes or 4 % of the metered time, or two more would bring what was lost in disputes above an hour."""
    if found.status != LeaseStatus.ACTIVE or now >= found.ends_at:
        return False
    recent = [interval for interval in silent if interval >= found.ring_next - 8]
    lost = len(silent) * SECS + found.missed_secs
    unpaid = found.undefended_secs + found.held_secs
    near = lost + SECS >= max(45 * 60, (now - found.started_at) * 4 // 100)
    return len(recent) >= 2 or (bool(silent) and (near or unpaid + 2 * SECS > found.fault_after_secs))


@dataclass(frozen=True)
class Played:
    play: Play
    attackers: tuple[Keypair, ...]
    used: bool = False
    """Whether a renter who attacks had the use of the node."""


@dataclass(frozen=True)
class Attack:
    """Who does what, how it is played, and what is known about it."""

    who: str
    what: str
    play: Callable[[], Played]
    """Plays it to its end."""
    most: Fraction | Tokens
    """What others lose at most: for each unit that the attackers lose, or at all where it costs those no tokens."""
    limit: str
    """Why it is no more, in a sentence."""
    test: str

    def outcome(self) -> Outcome:
        played = self.play()
        return Outcome(*played.play.losses(played.attackers, played.used))


@dataclass(frozen=True)
class Outcome:
    cost: Tokens
    loss: Tokens

    @property
    def factor(self) -> Fraction | None:
        """None where others lose something and the attackers nothing. Both lose the same kind of token."""
        if self.loss == Tokens():
            return Fraction(0)
        cost, loss = (self.cost.io, self.loss.io) if self.loss.io else (self.cost.usd, self.loss.usd)
        assert not (self.loss.io and self.loss.usd), "two kinds of tokens at once"
        return Fraction(loss, cost) if cost > 0 else None


def price_of(secs: int) -> Tokens:
    """Of the node at $16 an hour that most attacks are played with."""
    return Tokens(usd=16 * USD_UNIT * secs // HOUR)


def tokens(amount: int, unit: int) -> str:
    """Exact, without zeros at the end."""
    digits = len(str(unit)) - 1
    whole, part = divmod(abs(amount), unit)
    return f"{'-' if amount < 0 else ''}{whole:,}.{part:0{digits}}".rstrip("0").rstrip(".")


def words(amount: Tokens) -> str:
    parts = [(amount.usd, USD_UNIT, "IOSD"), (amount.io, IO_UNIT, "IO")]
    return ", ".join(f"{tokens(value, unit)} {name}" for value, unit, name in parts if value) or "0"
