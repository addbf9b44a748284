"""What can be rented, and what was."""

from __future__ import annotations

from ionet_web.blocks import Column
from ionet_web.lists.base import CLUSTER, LEASE, NODE, STATUS, Listed
from ionet_web.shown import Kind

LISTS = (
    Listed(
        "nodes",
        "Nodes",
        "Machines that suppliers registered, the cheapest first. Rentable: hireable on chain, and online.",
        (
            NODE,
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
        "clusters",
        "Clusters",
        "Renters' budgets in escrow, and what became of them, the newest first.",
        (
            CLUSTER,
            Column("renter", Kind.WALLET, "Renter"),
            Column("kind", Kind.STATE, "Kind"),
            STATUS,
            Column("deposit", Kind.AMOUNT, "Deposit"),
            Column("paid", Kind.AMOUNT, "Paid"),
            Column("refunded", Kind.AMOUNT, "Refunded"),
            Column("leases_booked", Kind.COUNT, "Leases"),
            Column("opened_at", Kind.TIME, "Opened"),
        ),
        ("renter", "status", "currency"),
    ),
    Listed(
        "leases",
        "Leases",
        "Bookings of a node for a time, the newest first.",
        (
            LEASE,
            NODE,
            CLUSTER,
            Column("role", Kind.STATE, "Role"),
            STATUS,
            Column("price", Kind.PRICE, "Price", "For a processor and hour"),
            Column("duration", Kind.SECONDS, "Booked for"),
            Column("served_secs", Kind.SECONDS, "Served"),
            Column("paid", Kind.AMOUNT, "Paid"),
            Column("booked_at", Kind.TIME, "Booked"),
        ),
        ("node", "owner", "cluster", "renter", "status", "currency", "disputed"),
    ),
    Listed(
        "index",
        "Index of prices",
        "The median of settled prices of a model, day by day; the newest first.",
        (
            Column("day", Kind.TIME, "Day"),
            Column("model", Kind.MODEL, "Model"),
            Column("value", Kind.HOURLY, "Index"),
            Column("median", Kind.HOURLY, "Median"),
            Column("leases", Kind.COUNT, "Leases"),
            Column("owners", Kind.COUNT, "Owners"),
        ),
        ("model",),
    ),
)
