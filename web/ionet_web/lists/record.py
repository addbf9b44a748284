"""What the program recorded."""

from __future__ import annotations

from ionet_web.blocks import Column
from ionet_web.lists.base import AT, TRANSACTION, Listed
from ionet_web.shown import Kind

LISTS = (
    Listed(
        "events",
        "Events",
        "Everything that the program recorded, the newest first.",
        (
            Column("block_time", Kind.TIME, "Time"),
            Column("name", Kind.TEXT, "Event"),
            Column("slot", Kind.SLOT, "Slot"),
            TRANSACTION,
        ),
        ("entity", "name"),
        table=None,
    ),
    Listed(
        "network-changes",
        "Changes of the rules",
        "Proposals, what became of them, pauses.",
        (
            AT,
            Column("kind", Kind.STATE, "What"),
            Column("subject", Kind.TEXT, "Of"),
            Column("before", Kind.TEXT, "Before"),
            Column("after", Kind.TEXT, "After"),
            Column("effective_at", Kind.TIME, "In force from"),
            TRANSACTION,
        ),
        ("kind",),
    ),
)
