"""What was paid, minted, burned, earned."""

from __future__ import annotations

from ionet_web.blocks import Column
from ionet_web.lists.base import AT, LEASE, NODE, TRANSACTION, Listed
from ionet_web.shown import Kind

LISTS = (
    Listed(
        "payments",
        "Payments",
        "Settlements of leases, the newest first.",
        (
            AT,
            LEASE,
            NODE,
            Column("payable_secs", Kind.SECONDS, "For"),
            Column("amount", Kind.AMOUNT, "Earned"),
            Column("supplier_amount", Kind.AMOUNT, "To the supplier"),
            Column("to_stakers", Kind.AMOUNT, "Of that to stakers"),
            Column("burned", Kind.AMOUNT, "Burned"),
            TRANSACTION,
        ),
        ("lease", "node", "cluster", "payout", "currency"),
    ),
    Listed(
        "mints",
        "IOSD minted",
        "IO burned for IOSD, the newest first.",
        (
            AT,
            Column("wallet", Kind.WALLET, "By"),
            Column("io_burned", Kind.IO, "IO burned"),
            Column("iosd_minted", Kind.DOLLARS, "IOSD minted"),
            Column("price", Kind.DOLLARS, "Price of an IO"),
            TRANSACTION,
        ),
        ("wallet",),
    ),
    Listed(
        "redemptions",
        "IOSD redeemed",
        "IOSD given back for IO, the newest first.",
        (
            AT,
            Column("wallet", Kind.WALLET, "By"),
            Column("iosd_burned", Kind.DOLLARS, "IOSD redeemed"),
            Column("io_minted", Kind.IO, "IO paid"),
            Column("price", Kind.DOLLARS, "Price of an IO"),
            TRANSACTION,
        ),
        ("wallet",),
    ),
    Listed(
        "burns",
        "Burned",
        "Fees, slashes and time that nobody is paid for, burned in bulk from the vaults.",
        (AT, Column("mint", Kind.HASH, "Mint"), Column("amount", Kind.COUNT, "Base units"), TRANSACTION),
        (),
    ),
    Listed(
        "buybacks",
        "Buybacks",
        "IO bought with fees in USDC, and burned.",
        (
            AT,
            Column("seller", Kind.WALLET, "Seller"),
            Column("io_burned", Kind.IO, "IO burned"),
            Column("usdc_paid", Kind.DOLLARS, "USDC paid"),
            TRANSACTION,
        ),
        ("seller",),
    ),
    Listed(
        "prices",
        "Prices of IO",
        "As the chain used them, the newest first.",
        (
            AT,
            Column("kind", Kind.STATE, "For"),
            Column("low_price", Kind.DOLLARS, "Low end"),
            Column("high_price", Kind.DOLLARS, "High end"),
            TRANSACTION,
        ),
        ("kind",),
    ),
    Listed(
        "income",
        "Income of stakers",
        "What settlements handed to co-stakers, and what was claimed.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            NODE,
            LEASE,
            Column("wallet", Kind.WALLET, "Wallet"),
            Column("amount", Kind.AMOUNT, "Amount"),
            TRANSACTION,
        ),
        ("node", "lease", "wallet", "currency", "kind"),
    ),
    Listed(
        "owed-balances",
        "Owed",
        "Payments that wait for owners whose account could not take them.",
        (
            Column("owner", Kind.WALLET, "Owner"),
            Column("amount", Kind.AMOUNT, "Waits for them"),
        ),
        ("owner", "currency"),
    ),
)
