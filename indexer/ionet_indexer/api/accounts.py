"""What a wallet is to the network: the things it has, and what it paid and got, in each currency."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.search import SQL
from ionet_indexer.core.paging import One
from ionet_indexer.core.parameters import Key
from ionet_indexer.core.refusals import NotFound

_COUNTS = (
    *("nodes", "processors", "clusters", "stakes", "cases"),
    *("leases_rented", "leases_rented_active", "leases_served", "leases_served_active"),
)
_AMOUNTS = (
    *("deposit", "spent", "fees", "burned", "refunded", "earned", "received", "income"),
    *("staked", "withdrawn", "rewards", "burned_for_iosd", "minted", "redeemed", "redeemed_for", "sold", "sold_for"),
)


class AccountTotals(msgspec.Struct):
    """What a wallet paid and got in one currency; currencies are never added up.

    As a renter: `deposit` put into clusters (all in all), of which `spent` was paid for time, `fees`, `burned` (time
    that nobody got) and `refunded`. As an owner: `earned` by leases of its nodes, before fees. As a payout: `received`,
    after fees and co-stakers' parts, with bonds. As a staker: `staked` and `withdrawn`, `rewards` and `income` claimed.
    With IOSD: `burned_for_iosd` and `minted`, `redeemed` and what it was `redeemed_for`, `sold` in buybacks and what it
    was `sold_for`. `owed` waits for it.
    """

    currency: str
    deposit: str
    spent: str
    fees: str
    burned: str
    refunded: str
    earned: str
    received: str
    income: str
    staked: str
    withdrawn: str
    rewards: str
    burned_for_iosd: str
    minted: str
    redeemed: str
    redeemed_for: str
    sold: str
    sold_for: str
    owed: str


class Account(msgspec.Struct):
    """A wallet. `roles`: owner, renter, staker, payout, device-key, session-key, authority, pauser, arbiter.

    Its things are in the lists: `/v1/nodes?owner=`, `/v1/leases?renter=` and `?owner=`, `/v1/clusters?renter=`,
    `/v1/stakes?staker=`, `/v1/stake-moves?staker=`, `/v1/rewards?wallet=`, `/v1/income?wallet=`,
    `/v1/payments?payout=`, `/v1/mints?wallet=`, `/v1/redemptions?wallet=`, `/v1/buybacks?seller=`, `/v1/owed?owner=`,
    `/v1/cases?owner=`. `stakes` counts open positions.
    """

    wallet: str
    roles: list[str]
    nodes: int
    processors: int
    clusters: int
    stakes: int
    cases: int
    leases_rented: int
    leases_rented_active: int
    leases_served: int
    leases_served_active: int
    currencies: list[AccountTotals]


@get("/v1/accounts/{wallet:str}", operation_id="get_account")
async def account(reader: NamedDependency[AskedReader], wallet: Key) -> One[Account]:
    """Everything of one wallet. 404 when the network never had to do with it."""
    async with reader.snapshot() as snapshot:
        totals = await snapshot.fetch(SQL["account_totals"], wallet)
        owed = await snapshot.fetch(SQL["account_owed"], wallet)
        row = await snapshot.one(SQL["account_roles"], wallet)
    known: dict[tuple[str, str], str] = {(each["name"], each["key"]): each["value"] for each in totals}
    known |= {("owed", each["currency"]): each["amount"] for each in owed}
    flags = dict(row) if row is not None else {}
    if not known and not any(flags.values()):
        raise NotFound(f"account {wallet} is not known at slot {snapshot.slot}")
    counts = {name: int(known.get((name, ""), 0)) for name in _COUNTS}
    named = {
        "owner": counts["nodes"] > 0,
        "renter": counts["clusters"] > 0,
        "staker": ("staked", "IO") in known,
        "payout": flags.get("payout") or any(name == "received" for name, _ in known),
        **{name.replace("_", "-"): held for name, held in flags.items() if name not in ("payout", "owed")},
    }
    item = Account(
        wallet=wallet,
        roles=[name for name, held in named.items() if held],
        **counts,
        currencies=[
            AccountTotals(currency=currency, **{name: known.get((name, currency), "0") for name in (*_AMOUNTS, "owed")})
            for currency in sorted({key for (_, key), value in known.items() if key and int(value)})
        ],
    )
    return One(snapshot.slot, snapshot.finalized_slot, item)
