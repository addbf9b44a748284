"""What can be asked for: one class per kind, which makes a plan of the SDK. Amounts are decimal numbers of tokens.

A class's docstring is what a wallet shows of it; `takes` says which instructions its transactions are made of.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Protocol, TypeVar, get_args

import msgspec
from ionet.cli import human
from ionet.cli.parsing import amount, pubkey
from ionet.client import Client
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency, LeaseStatus
from ionet.generated.types import NodeTerms
from ionet.plan import Plan
from ionet.quote import quote
from ionet.renting.longer import BudgetTooSmall, extension
from ionet.resolve import country
from ionet.wallet import Watch
from msgspec import Struct
from solders.pubkey import Pubkey

T = TypeVar("T")
MOST_NODES, MOST_LEASES = 4, 8
"""Of a transaction of version 0."""
SHORTEST_SECS, LONGEST_SECS = 3_600, 30 * 24 * 3_600
"""Of a lease, as for `ionet node register`."""
_GRACE_SECS, _FUNDED_SECS = 24 * 3_600, 30 * 24 * 3_600


class Desk(Protocol):
    """What a plan needs besides the chain."""

    async def session_key(self) -> Pubkey:
        """Of the launcher that runs clusters for these pages. Raises NoLauncher, LauncherError."""


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

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.iosd.mint(positive(self.io, "IO"))


class Redeem(Asked, frozen=True, kw_only=True, tag="redeem"):
    """Redeem IOSD for IO."""

    takes = ("redeem_iosd",)

    iosd: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.iosd.redeem(positive(self.iosd, "IOSD"))


class Stake(Asked, frozen=True, kw_only=True, tag="stake"):
    """Stake IO behind a node."""

    takes = ("stake",)

    node: str
    io: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.stake.add(pubkey(self.node), positive(self.io, "IO"))


class Unbond(Asked, frozen=True, kw_only=True, tag="unbond"):
    """Take stake back, after its cooldown."""

    takes = ("request_unbond",)

    node: str
    io: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.stake.request_unbond(pubkey(self.node), positive(self.io, "IO"))


class Withdraw(Asked, frozen=True, kw_only=True, tag="withdraw"):
    """Withdraw stake whose cooldown is over."""

    takes = ("withdraw", "open_owed")

    node: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.stake.withdraw(pubkey(self.node))


class Claim(Asked, frozen=True, kw_only=True, tag="claim"):
    """Claim rewards of stake."""

    takes = ("claim_rewards", "open_owed")

    node: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.stake.claim_rewards(pubkey(self.node))


class Income(Asked, frozen=True, kw_only=True, tag="income"):
    """Claim income of co-stake."""

    takes = ("claim_income", "open_owed")

    node: str
    currency: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        # Opening the wallet's account, even where there is one, shows whoever reads the bytes whose it is.
        mint = await client.network.mint(self.currency)
        return client.batch(client.tokens.open(mint), client.stake.claim_income(pubkey(self.node), self.currency))


class Owed(Asked, frozen=True, kw_only=True, tag="owed"):
    """Claim what waits for a wallet."""

    takes = ("claim_owed",)

    currency: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        return client.owed.claim(await client.network.mint(self.currency))


class Fund(Asked, frozen=True, kw_only=True, tag="fund"):
    """Fund a cluster."""

    takes = ("open_cluster",)

    iosd: str

    async def plan(self, client: Client, desk: Desk) -> Plan:
        session, until = await _session(client, desk, _FUNDED_SECS)
        return client.cluster.open(positive(self.iosd, "IOSD"), session_key=session, session_expires_at=until)


class Rent(Asked, frozen=True, kw_only=True, tag="rent"):
    """Rent nodes."""

    takes = ("open_cluster", "add_lease")

    nodes: str
    minutes: str
    spare: str = "0"
    """IOSD to lock beyond the price, out of which the leases can be extended."""

    async def plan(self, client: Client, desk: Desk) -> Plan:
        spare = amount(self.spare, "IOSD")
        nodes = [pubkey(text) for text in re.split(r"[\s,]+", self.nodes.strip())]
        if len(nodes) > MOST_NODES:
            raise InvalidInput(f"a transaction has room for {MOST_NODES} nodes; `ionet run` books more")
        secs = 60 * whole(self.minutes, "minutes")
        made = await quote(client, nodes, secs)
        session, until = await _session(client, desk, secs)
        return client.cluster.open_with(
            nodes, duration=secs, deposit=made.total + spare, session_key=session, session_expires_at=until
        )


class Extend(Asked, frozen=True, kw_only=True, tag="extend"):
    """Extend a cluster."""

    takes = ("extend_lease",)

    cluster: str
    minutes: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        cluster, secs = pubkey(self.cluster), 60 * whole(self.minutes, "minutes")
        asked, found = await extension(client, cluster, secs), await client.cluster.get(cluster)
        if len(asked.leases) > MOST_LEASES:
            raise InvalidInput(f"a transaction has room for {MOST_LEASES} leases; `ionet extend` takes more")
        if asked.cost > asked.free:
            needed, free = human.money(asked.cost, asked.currency), human.money(asked.free, asked.currency)
            raise BudgetTooSmall(f"{needed} needed, {free} free; a budget cannot grow")
        if found.session_key != Pubkey.default() and found.session_expires_at < asked.until:
            # The pages could not tell whose key another one is.
            raise InvalidInput("the launcher's key does not act for so long; `ionet extend` lets it")
        return client.batch(*asked.plans(client))


class End(Asked, frozen=True, kw_only=True, tag="end"):
    """End a cluster."""

    takes = ("end_lease", "reject_ready", "close_cluster", "open_owed")

    cluster: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        cluster = pubkey(self.cluster)
        await client.cluster.get(cluster)
        leases = await client.lease.all(cluster=cluster)
        if not leases:
            return client.cluster.close(cluster)
        plans = [client.lease.end(key) for key, lease in leases if lease.status == LeaseStatus.ACTIVE]
        plans += [client.lease.reject_ready(key) for key, lease in leases if lease.status == LeaseStatus.READY]
        if not plans:
            raise InvalidInput(f"no lease of it runs; {len(leases)} are booked or being settled, which anyone may do")
        return client.batch(*plans[:MOST_LEASES])


class Register(Asked, frozen=True, kw_only=True, tag="register"):
    """Register a node."""

    takes = ("register_node",)

    device: str
    model: str
    processors: str
    price: str
    country: str

    async def plan(self, client: Client, desk: Desk) -> Plan:  # noqa: ARG002
        device, owner = pubkey(self.device), client.address
        terms = NodeTerms(
            price=positive(self.price, "dollars"),
            min_coverage_bps=0,
            min_duration=SHORTEST_SECS,
            max_duration=LONGEST_SECS,
            payout=owner,
            fee_payer=device,
            country=country(self.country),
            currencies=Currency.IOSD,
            region=0,
        )
        return client.node.register(
            Watch(device),
            model_code=await client.network.model_code(self.model),
            processors=whole(self.processors, "processors"),
            terms=terms,
        )


async def _session(client: Client, desk: Desk, secs: int) -> tuple[Pubkey, int]:
    """The launcher's key, which may accept, reject, approve and dispute, and until when (unix seconds)."""
    return await desk.session_key(), await client.rpc.unix_time() + secs + _GRACE_SECS


Kind = Rent | Fund | Extend | End | Register | Mint | Redeem | Stake | Unbond | Withdraw | Claim | Income | Owed
KINDS: dict[str, type[Kind]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Kind)}


def read(kind: str, body: bytes) -> Kind:
    """A request of a kind from JSON. Raises InvalidInput, which names the field."""
    if kind not in KINDS:
        raise InvalidInput(f"no action is called {kind!r}; there are {', '.join(KINDS)}")
    return decoded(body, KINDS[kind])


def decoded(body: bytes, kind: type[T]) -> T:
    """What a stranger sent as JSON. Raises InvalidInput, which names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)) from None


def whole(text: str, what: str) -> int:
    """A whole number above 0. Raises InvalidInput."""
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and int(text)):
        raise InvalidInput(f"{text!r} is no whole number of {what}")
    return int(text)


def positive(text: str, token: str) -> int:
    """Base units of an amount above 0. Raises InvalidInput."""
    units = amount(text.strip(), token)
    if units == 0:
        raise InvalidInput(f"0 {token} is nothing")
    return units
