"""What `ionet node up` was told, and what it proposes where it was told nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ionet import resolve
from ionet.cli import human
from ionet.cli.parsing import amount, pubkey
from ionet.cli.printing import say
from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency
from ionet.generated.types import NodeTerms
from ionet.words import parse
from solders.pubkey import Pubkey

from ionet_agent.up.prices import Price, proposed

T = TypeVar("T")


@dataclass(frozen=True)
class Wishes:
    """What the owner said of the node and its stake; None where nothing. stake: IO base units.

    pretend: whether a model that the machine does not show is believed on a local network.
    """

    model: str | None
    processors: int | None
    price: str | None
    country: str | None
    currencies: tuple[str, ...]
    min_duration: str
    max_duration: str
    payout: str | None
    stake: int | None
    pretend: bool

    def __post_init__(self) -> None:
        """What nobody could mean is refused before this machine is looked at."""
        if self.price is not None:
            amount(self.price, "dollars")
        if self.country is not None:
            resolve.country(self.country)
        if self.payout is not None:
            pubkey(self.payout)
        for text in (self.min_duration, self.max_duration):
            resolve.duration(text)
        for name in self.currencies:
            parse(Currency, name, "currency")


@dataclass(frozen=True)
class Serving:
    """How the agent is started. options: of `ionet node run`, beside those that are always given."""

    url: str
    folder: Path
    options: tuple[str, ...]

    @property
    def device_key(self) -> Path:
        return self.folder / "device.json"

    @property
    def base(self) -> Path:
        return self.folder / "agent"

    def command(self, *, as_json: bool = False) -> list[str]:
        words = ["--url", self.url, "node", "run", "--device-key", str(self.device_key), "--base", str(self.base)]
        return [sys.executable, "-m", "ionet", *words, *self.options, *(["--json"] if as_json else [])]


async def terms_of(client: Client, wishes: Wishes, indexer: str, code: int, device: Pubkey) -> tuple[NodeTerms, str]:
    """The terms of a new node, and where its price is from; what nobody said or knows is asked. client: the owner's."""
    price = await _price(client, wishes, indexer, code)
    country = _asked(wishes.country, "In which country is it (two letters)?", "--country", resolve.country)
    terms = NodeTerms(
        price=price.micro,
        min_coverage_bps=0,
        min_duration=resolve.duration(wishes.min_duration),
        max_duration=resolve.duration(wishes.max_duration),
        payout=client.address if wishes.payout is None else pubkey(wishes.payout),
        fee_payer=device,
        country=country,
        currencies=sum(parse(Currency, name, "currency") for name in set(wishes.currencies)),
        region=0,
    )
    return terms, price.source


async def _price(client: Client, wishes: Wishes, indexer: str, code: int) -> Price:
    if wishes.price is not None:
        return Price(amount(wishes.price, "dollars"), "yours")
    found = await proposed(client, indexer, code)
    if found is not None:
        return found
    ask = "Dollars per processor-hour (neither indexer nor chain knows a price)?"
    return Price(_asked(None, ask, "--price", lambda text: amount(text, "dollars")), "yours")


def _asked(given: str | None, question: str, option: str, meaning: Callable[[str], T]) -> T:
    """What was given, or what a person at a terminal says. Raises InvalidInput where there is neither."""
    if given is None:
        if not (sys.stdin and sys.stdin.isatty()):
            raise InvalidInput(f"say {option}")
        say(f"{question} ", err=True, end="")
        sys.stderr.flush()
        given = sys.stdin.readline().strip()
    return meaning(given)


def shown(terms: NodeTerms, source: str) -> dict[str, str]:
    """The terms in words."""
    return {
        "price": f"{human.hourly(terms.price)} per processor ({source})",
        "country": human.country(terms.country),
        "currencies": human.currencies(terms.currencies),
        "leases": f"{human.span(terms.min_duration)} to {human.span(terms.max_duration)}",
        "payout": str(terms.payout),
    }
