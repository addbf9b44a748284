"""What can be asked for: one class per kind, which makes a plan of the SDK. Amounts are decimal numbers of tokens.

A class's docstring is what a wallet shows of it; `takes` says which instructions its transactions are made of.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import msgspec
from ionet.cli.parsing import amount, pubkey
from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.plan import Plan
from msgspec import Struct


class Asked(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Fields that every request has; `plan` makes what is to be signed, and raises InvalidInput for fields that mean
    nothing. account: the wallet that signs and pays. version: of the transaction, 0 unless the
    wallet takes 1 alone."""

    takes: ClassVar[tuple[str, ...]] = ()

    account: str
    version: Literal[0, 1] = 0

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").splitlines()[0].rstrip(".")


class Mint(Asked, frozen=True, kw_only=True, tag="mint"):
    """Mint IOSD by burning IO."""

    takes = ("mint_iosd",)

    io: str

    def plan(self, client: Client) -> Plan:
        return client.iosd.mint(positive(self.io, "IO"))


class Redeem(Asked, frozen=True, kw_only=True, tag="redeem"):
    """Redeem IOSD for IO."""

    takes = ("redeem_iosd",)

    iosd: str

    def plan(self, client: Client) -> Plan:
        return client.iosd.redeem(positive(self.iosd, "IOSD"))


class Stake(Asked, frozen=True, kw_only=True, tag="stake"):
    """Stake IO behind a node."""

    takes = ("stake",)

    node: str
    io: str

    def plan(self, client: Client) -> Plan:
        return client.stake.add(pubkey(self.node), positive(self.io, "IO"))


class Unbond(Asked, frozen=True, kw_only=True, tag="unbond"):
    """Take stake back, after its cooldown."""

    takes = ("request_unbond",)

    node: str
    io: str

    def plan(self, client: Client) -> Plan:
        return client.stake.request_unbond(pubkey(self.node), positive(self.io, "IO"))


class Withdraw(Asked, frozen=True, kw_only=True, tag="withdraw"):
    """Withdraw stake whose cooldown is over."""

    takes = ("withdraw", "open_owed")

    node: str

    def plan(self, client: Client) -> Plan:
        return client.stake.withdraw(pubkey(self.node))


class Claim(Asked, frozen=True, kw_only=True, tag="claim"):
    """Claim rewards of stake."""

    takes = ("claim_rewards", "open_owed")

    node: str

    def plan(self, client: Client) -> Plan:
        return client.stake.claim_rewards(pubkey(self.node))


Kind = Mint | Redeem | Stake | Unbond | Withdraw | Claim
KINDS: dict[str, type[Kind]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Kind)}


def read(kind: str, body: bytes) -> Kind:
    """A request of a kind from JSON. Raises InvalidInput, which names the field."""
    if kind not in KINDS:
        raise InvalidInput(f"no action is called {kind!r}; there are {', '.join(KINDS)}")
    try:
        return msgspec.json.decode(body, type=KINDS[kind])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)) from None


def positive(text: str, token: str) -> int:
    """Base units of an amount above 0. Raises InvalidInput."""
    units = amount(text.strip(), token)
    if units == 0:
        raise InvalidInput(f"0 {token} is nothing")
    return units
