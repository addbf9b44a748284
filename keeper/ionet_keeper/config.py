"""What a keeper is told: whom it serves, what it may spend, where it looks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ionet.tending.manner import Manner
from solders.pubkey import Pubkey


class Policy(StrEnum):
    """What is done: what pays more than it costs, everything, or nothing but what concerns the keys that are named.

    What concerns these keys is done in any case.
    """

    PAYS = "pays"
    ALL = "all"
    OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Config(Manner):
    urls: tuple[str, ...]
    policy: Policy = Policy.ALL
    own: frozenset[Pubkey] = frozenset()
