"""Who kept their word, and what came of it where they did not."""

from __future__ import annotations

from ionet_web.blocks import Column
from ionet_web.lists.base import AT, LEASE, NODE, STATUS, TRANSACTION, Listed
from ionet_web.shown import Kind

LISTS = (
    Listed(
        "proofs",
        "Proofs",
        "What nodes recorded of their work, interval by interval, the newest first.",
        (
            AT,
            LEASE,
            NODE,
            Column("interval", Kind.COUNT, "Interval"),
            Column("served_secs", Kind.SECONDS, "Served"),
            Column("kept", Kind.YES, "Kept"),
            Column("root", Kind.HASH, "Root"),
            TRANSACTION,
        ),
        ("lease", "node"),
    ),
    Listed(
        "approvals",
        "Approvals",
        "Intervals that renters released before the dispute window was over.",
        (
            AT,
            LEASE,
            NODE,
            Column("through_interval", Kind.COUNT, "Before interval"),
            Column("proof_head", Kind.HASH, "Proofs up to"),
            TRANSACTION,
        ),
        ("lease", "node", "cluster"),
    ),
    Listed(
        "disputes",
        "Disputes",
        "Intervals for which a renter refused to pay, and what came of it.",
        (
            AT,
            LEASE,
            NODE,
            Column("from_interval", Kind.COUNT, "From interval"),
            Column("to_interval", Kind.COUNT, "Before"),
            Column("outcome", Kind.STATE, "Outcome"),
            Column("defend_by", Kind.TIME, "To be defended by"),
            TRANSACTION,
        ),
        ("lease", "node", "cluster", "outcome", "currency"),
        "dispute_outcomes",
    ),
    Listed(
        "defences",
        "Defences",
        "What suppliers showed of disputed intervals.",
        (
            AT,
            LEASE,
            Column("interval", Kind.COUNT, "Interval"),
            Column("defended", Kind.YES, "Opened"),
            Column("served_secs", Kind.SECONDS, "Served"),
            TRANSACTION,
        ),
        ("lease",),
    ),
    Listed(
        "slashes",
        "Slashes",
        "Stake that was taken, and why, the newest first.",
        (
            AT,
            NODE,
            LEASE,
            Column("reason", Kind.STATE, "Reason"),
            Column("amount", Kind.IO, "Taken"),
            TRANSACTION,
        ),
        ("node", "lease", "reason"),
    ),
    Listed(
        "cases",
        "Cases",
        "Accusations by the arbiter: the stake of the node is frozen until they are decided.",
        (
            Column("case", Kind.CASE, "Case"),
            NODE,
            Column("reason", Kind.STATE, "Reason"),
            STATUS,
            Column("opened_at", Kind.TIME, "Opened"),
        ),
        ("node", "owner", "status"),
    ),
)
