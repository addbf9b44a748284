"""Stake behind nodes, and the terms of their owners."""

from __future__ import annotations

from ionet_web.blocks import Column
from ionet_web.lists.base import AT, NODE, TRANSACTION, Listed
from ionet_web.shown import Kind

LISTS = (
    Listed(
        "stakes",
        "Stakes",
        "Positions of owners and co-stakers behind nodes.",
        (
            Column("position", Kind.STAKE, "Position"),
            NODE,
            Column("staker", Kind.WALLET, "Staker"),
            Column("bonded", Kind.IO, "Worth now"),
            Column("staked", Kind.IO, "Put in"),
            Column("rewards", Kind.IO, "Rewards to claim"),
        ),
        ("node", "staker"),
    ),
    Listed(
        "stake-moves",
        "Moves of stake",
        "Stake put in, asked back and taken out, the newest first.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            NODE,
            Column("staker", Kind.WALLET, "Staker"),
            Column("amount", Kind.IO, "Amount"),
            TRANSACTION,
        ),
        ("node", "staker", "kind"),
    ),
    Listed(
        "rewards",
        "Rewards",
        "Rewards that came in for nodes, and what was claimed.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            NODE,
            Column("wallet", Kind.WALLET, "Wallet"),
            Column("amount", Kind.IO, "Amount"),
            TRANSACTION,
        ),
        ("node", "wallet", "kind"),
    ),
    Listed(
        "node-terms",
        "Terms of nodes",
        "What owners set: price, durations, payout; the newest first.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            NODE,
            Column("price", Kind.HOURLY, "Price"),
            Column("currencies", Kind.STATE, "Takes"),
            Column("country", Kind.COUNTRY, "Country"),
            Column("payout", Kind.WALLET, "Paid to"),
            TRANSACTION,
        ),
        ("node", "kind"),
    ),
    Listed(
        "co-stake-terms",
        "Terms of co-stake",
        "What owners hand to others who stake to their nodes.",
        (
            AT,
            NODE,
            Column("share", Kind.SHARE, "Of rewards"),
            Column("income_share", Kind.SHARE, "Of income"),
            Column("pending_at", Kind.TIME, "Next from"),
            TRANSACTION,
        ),
        ("node",),
    ),
    Listed(
        "payout-locks",
        "Locks of payouts",
        "Payouts that owners bound for a time.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            NODE,
            Column("payout", Kind.HASH, "Payout"),
            Column("until", Kind.TIME, "Until"),
            TRANSACTION,
        ),
        ("node", "kind"),
    ),
)
