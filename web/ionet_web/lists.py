"""The API's lists as tables: which columns a reader needs, in which order, and by what a list can be narrowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ionet_web.blocks import Column
from ionet_web.shown import Kind

_AT = Column("at", Kind.TIME, "Time")
_TRANSACTION = Column("signature", Kind.TRANSACTION, "Transaction")
_NODE = Column("node", Kind.NODE, "Node")
_LEASE = Column("lease", Kind.LEASE, "Lease")
_CLUSTER = Column("cluster", Kind.CLUSTER, "Cluster")
_STATUS = Column("status", Kind.STATE, "Status")


class Listed(NamedTuple):
    """A list: its name in the API and in the page's path, its title, what it holds, its columns and filters."""

    name: str
    title: str
    lead: str
    columns: Sequence[Column]
    filters: Sequence[str] = ()
    table: str | None = ""
    """What the API calls it as a file, where that is not its name; None: it is in no file."""

    @property
    def exports(self) -> dict[str, str]:
        """Where the whole table is as a file, below the API; by the form of the file."""
        if self.table is None:
            return {}
        table = self.table or self.name.replace("-", "_")
        return {form: f"/v1/export/{table}.{form}" for form in ("csv", "parquet")}


LISTS = {
    each.name: each
    for each in (
        Listed(
            "nodes",
            "Nodes",
            "Machines that suppliers registered, the cheapest first. Rentable: hireable on chain, and online.",
            (
                _NODE,
                Column("model", Kind.MODEL, "Model"),
                Column("processors", Kind.COUNT, "GPUs"),
                Column("country", Kind.COUNTRY, "Country"),
                Column("price", Kind.HOURLY, "Price", "For a processor and hour"),
                Column("rentable", Kind.YES, "Rentable"),
                Column("flags", Kind.STATE, "Held back by"),
                Column("bonded", Kind.IO, "Stake"),
                Column("earned", Kind.DOLLARS, "Earned"),
            ),
            ("model", "country", "max_price", "min_processors", "rentable", "owner"),
        ),
        Listed(
            "leases",
            "Leases",
            "Bookings of a node for a time, the newest first.",
            (
                _LEASE,
                _NODE,
                _CLUSTER,
                Column("role", Kind.STATE, "Role"),
                _STATUS,
                Column("price", Kind.PRICE, "Price", "For a processor and hour"),
                Column("duration", Kind.SECONDS, "Booked for"),
                Column("served_secs", Kind.SECONDS, "Served"),
                Column("paid", Kind.AMOUNT, "Paid"),
                Column("booked_at", Kind.TIME, "Booked"),
            ),
            ("node", "owner", "cluster", "renter", "status", "currency", "disputed"),
        ),
        Listed(
            "clusters",
            "Clusters",
            "Renters' budgets in escrow, and what became of them, the newest first.",
            (
                _CLUSTER,
                Column("renter", Kind.WALLET, "Renter"),
                Column("kind", Kind.STATE, "Kind"),
                _STATUS,
                Column("deposit", Kind.AMOUNT, "Deposit"),
                Column("paid", Kind.AMOUNT, "Paid"),
                Column("refunded", Kind.AMOUNT, "Refunded"),
                Column("leases_booked", Kind.COUNT, "Leases"),
                Column("opened_at", Kind.TIME, "Opened"),
            ),
            ("renter", "status", "currency"),
        ),
        Listed(
            "models",
            "Device models",
            "What a node can be. The multiplier, in thousandths, times the network's stake per processor is the stake "
            "that a processor needs.",
            (
                Column("code", Kind.MODEL, "Model"),
                Column("kind", Kind.STATE, "Kind"),
                Column("pool", Kind.STATE, "Pool"),
                Column("multiplier", Kind.COUNT, "Multiplier"),
                Column("enabled", Kind.YES, "Enabled"),
                Column("nodes", Kind.COUNT, "Nodes"),
            ),
            ("kind", "pool"),
        ),
        Listed(
            "stakes",
            "Stakes",
            "Positions of owners and co-stakers behind nodes.",
            (
                Column("position", Kind.STAKE, "Position"),
                _NODE,
                Column("staker", Kind.WALLET, "Staker"),
                Column("bonded", Kind.IO, "Worth now"),
                Column("staked", Kind.IO, "Put in"),
                Column("rewards", Kind.IO, "Rewards to claim"),
            ),
            ("node", "staker"),
        ),
        Listed(
            "proofs",
            "Proofs",
            "What nodes recorded of their work, interval by interval, the newest first.",
            (
                _AT,
                _LEASE,
                _NODE,
                Column("interval", Kind.COUNT, "Interval"),
                Column("served_secs", Kind.SECONDS, "Served"),
                Column("kept", Kind.YES, "Kept"),
                Column("root", Kind.HASH, "Root"),
                _TRANSACTION,
            ),
            ("lease", "node"),
        ),
        Listed(
            "payments",
            "Payments",
            "Settlements of leases, the newest first.",
            (
                _AT,
                _LEASE,
                _NODE,
                Column("payable_secs", Kind.SECONDS, "For"),
                Column("amount", Kind.AMOUNT, "Earned"),
                Column("supplier_amount", Kind.AMOUNT, "To the supplier"),
                Column("to_stakers", Kind.AMOUNT, "Of that to stakers"),
                Column("burned", Kind.AMOUNT, "Burned"),
                _TRANSACTION,
            ),
            ("lease", "node", "cluster", "payout", "currency"),
        ),
        Listed(
            "slashes",
            "Slashes",
            "Stake that was taken, and why, the newest first.",
            (
                _AT,
                _NODE,
                _LEASE,
                Column("reason", Kind.STATE, "Reason"),
                Column("amount", Kind.IO, "Taken"),
                _TRANSACTION,
            ),
            ("node", "lease", "reason"),
        ),
        Listed(
            "disputes",
            "Disputes",
            "Intervals for which a renter refused to pay, and what came of it.",
            (
                _AT,
                _LEASE,
                _NODE,
                Column("from_interval", Kind.COUNT, "From interval"),
                Column("to_interval", Kind.COUNT, "Before"),
                Column("outcome", Kind.STATE, "Outcome"),
                Column("defend_by", Kind.TIME, "To be defended by"),
                _TRANSACTION,
            ),
            ("lease", "node", "cluster", "outcome", "currency"),
            "dispute_outcomes",
        ),
        Listed(
            "cases",
            "Cases",
            "Accusations by the arbiter: the stake of the node is frozen until they are decided.",
            (
                Column("case", Kind.CASE, "Case"),
                _NODE,
                Column("reason", Kind.STATE, "Reason"),
                _STATUS,
                Column("opened_at", Kind.TIME, "Opened"),
            ),
            ("node", "owner", "status"),
        ),
        Listed(
            "node-terms",
            "Terms of nodes",
            "What owners set: price, durations, payout; the newest first.",
            (
                _AT,
                Column("kind", Kind.STATE, "What"),
                _NODE,
                Column("price", Kind.HOURLY, "Price"),
                Column("currencies", Kind.STATE, "Takes"),
                Column("country", Kind.COUNTRY, "Country"),
                Column("payout", Kind.WALLET, "Paid to"),
                _TRANSACTION,
            ),
            ("node", "kind"),
        ),
        Listed(
            "stake-moves",
            "Moves of stake",
            "Stake put in, asked back and taken out, the newest first.",
            (
                _AT,
                Column("kind", Kind.STATE, "What"),
                _NODE,
                Column("staker", Kind.WALLET, "Staker"),
                Column("amount", Kind.IO, "Amount"),
                _TRANSACTION,
            ),
            ("node", "staker", "kind"),
        ),
        Listed(
            "mints",
            "IOSD minted",
            "IO burned for IOSD, the newest first.",
            (
                _AT,
                Column("wallet", Kind.WALLET, "By"),
                Column("io_burned", Kind.IO, "IO burned"),
                Column("iosd_minted", Kind.DOLLARS, "IOSD minted"),
                Column("price", Kind.DOLLARS, "Price of an IO"),
                _TRANSACTION,
            ),
            ("wallet",),
        ),
        Listed(
            "redemptions",
            "IOSD redeemed",
            "IOSD given back for IO, the newest first.",
            (
                _AT,
                Column("wallet", Kind.WALLET, "By"),
                Column("iosd_burned", Kind.DOLLARS, "IOSD redeemed"),
                Column("io_minted", Kind.IO, "IO paid"),
                Column("price", Kind.DOLLARS, "Price of an IO"),
                _TRANSACTION,
            ),
            ("wallet",),
        ),
        Listed(
            "burns",
            "Burned",
            "Fees, slashes and time that nobody is paid for, burned in bulk from the vaults.",
            (_AT, Column("mint", Kind.HASH, "Mint"), Column("amount", Kind.COUNT, "Base units"), _TRANSACTION),
            (),
        ),
        Listed(
            "buybacks",
            "Buybacks",
            "IO bought with fees in USDC, and burned.",
            (
                _AT,
                Column("seller", Kind.WALLET, "Seller"),
                Column("io_burned", Kind.IO, "IO burned"),
                Column("usdc_paid", Kind.DOLLARS, "USDC paid"),
                _TRANSACTION,
            ),
            ("seller",),
        ),
        Listed(
            "prices",
            "Prices of IO",
            "As the chain used them, the newest first.",
            (
                _AT,
                Column("kind", Kind.STATE, "For"),
                Column("low_price", Kind.DOLLARS, "Low end"),
                Column("high_price", Kind.DOLLARS, "High end"),
                _TRANSACTION,
            ),
            ("kind",),
        ),
        Listed(
            "network-changes",
            "Changes of the rules",
            "Proposals, what became of them, pauses.",
            (
                _AT,
                Column("kind", Kind.STATE, "What"),
                Column("subject", Kind.TEXT, "Of"),
                Column("before", Kind.TEXT, "Before"),
                Column("after", Kind.TEXT, "After"),
                Column("effective_at", Kind.TIME, "In force from"),
                _TRANSACTION,
            ),
            ("kind",),
        ),
        Listed(
            "events",
            "Events",
            "Everything that the program recorded, the newest first.",
            (
                Column("block_time", Kind.TIME, "Time"),
                Column("name", Kind.TEXT, "Event"),
                Column("slot", Kind.SLOT, "Slot"),
                _TRANSACTION,
            ),
            ("entity", "name"),
            table=None,
        ),
    )
}
