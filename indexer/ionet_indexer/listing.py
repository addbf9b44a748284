"""What nodes list against what is stored: which of it counts, and what has to be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from ionet_indexer.source.base import Heads, Seen, Source, SourceError


class Stored(NamedTuple):
    """Slots of stored transactions by signature; those after `undo_after` are about to be taken back."""

    slots: dict[str, int]
    undo_after: int | None

    def kept(self, undo_after: int | None) -> dict[str, int]:
        """What is left when everything after `undo_after` is taken back."""
        return {s: slot for s, slot in self.slots.items() if undo_after is None or slot <= undo_after}


async def listed(source: Source, after: int, heads: Heads, anchor: Seen | None) -> list[Seen]:
    """The transactions in slots (after, heads.confirmed], oldest first, and a sweep of those that are final.

    What is listed at either commitment happened; what is listed as confirmed alone in a final slot did not for sure.
    """
    if heads.finalized <= after:
        return await source.seen(after, heads, anchor)
    confirmed, final = await asyncio.gather(
        source.seen(after, heads, anchor), source.seen(after, heads, anchor, final=True)
    )
    rooted = {item.signature: item for item in final}
    for item in confirmed:
        if rooted.get(item.signature, item) != item:
            raise SourceError(f"{item.signature} moved to another slot while it was read")
        if item.slot <= heads.finalized and item.signature not in rooted:
            raise SourceError(f"slot {item.slot} is final, and the node lists {item.signature} only as confirmed")
    found = {item.signature: item for item in confirmed} | rooted
    return sorted(found.values(), key=lambda item: item.slot)


async def listed_of(source: Source, key: str, heads: Heads, reached: Heads) -> list[Seen]:
    """The transactions that mention an account, as far as the tables go.

    Those that are final here come from the node's final list: another may be of a fork that was left.
    """
    confirmed, final = await asyncio.gather(source.history(key, heads), source.history(key, heads, final=True))
    found = {item for item in confirmed if reached.finalized < item.slot <= reached.confirmed}
    found.update(item for item in final if item.slot <= reached.finalized)
    return sorted(found, key=lambda item: item.slot)


async def superseded(source: Source, heads: Sequence[tuple[int, str]], before: int, now: int) -> list[int]:
    """Slots of stored heads to forget when slots from `before` up to `now` become final. heads: newest first.

    The newest that the node still shows stays: nodes are checked on it from then on. One of a fork that was left
    between two looks would refuse every node for ever, and one that the node does not show now may be such.
    """
    due = [head for head in heads if before < head[0] <= now]
    for slot, blockhash in due:
        try:
            held = await source.holds(slot, blockhash)
        except SourceError:
            continue
        if held:
            return [other for other, _ in due if other != slot]
    return [slot for slot, _ in due]


async def witnessed(
    source: Source,
    witness: Source,
    after: int,
    heads: Heads,
    anchor: Seen | None,
    seen: Sequence[Seen],
    blocks: Sequence[tuple[int, str]],
) -> int:
    """The newest slot of which a second node says the same. Raises SourceError when the two nodes contradict.

    blocks: those of ours that are not final yet, newest first.
    """
    finalized = min(heads.finalized, (await witness.heads()).finalized)
    if finalized <= after:
        return finalized
    for slot, blockhash in blocks:
        if slot > finalized:
            continue
        if await witness.holds(slot, blockhash):
            break
        # One that the first node has left too, unseen, says nothing: each transaction is compared below.
        if await source.holds(slot, blockhash):
            raise SourceError(f"the second node is on another fork at slot {slot}")
    theirs = set(await witness.seen(after, Heads(finalized, finalized), anchor, final=True))
    ours = {item for item in seen if item.slot <= finalized}
    if differ := ours ^ theirs:
        item = min(differ, key=lambda item: item.slot)
        one = "second" if item in theirs else "first"
        raise SourceError(f"only the {one} node lists {item.signature} in slot {item.slot}, which is final")
    return finalized


async def undo_of(source: Source, stored: Stored, seen: Sequence[Seen], finalized: int) -> int | None:
    """From where stored transactions have to be taken back, by the blocks that changed and by what is listed now.

    A transaction that is no longer listed proves nothing until its block is shown without it. Raises SourceError.
    """
    now = {item.signature: item.slot for item in seen}
    wrong: list[int] = []
    for signature, slot in stored.kept(stored.undo_after).items():
        if now.get(signature) == slot:
            continue
        if slot <= finalized:
            raise SourceError(f"the node does not list {signature} in slot {slot}, which is final here")
        if signature in now:
            wrong += [slot, now[signature]]
        elif await source.lacks(Seen(signature, slot)):
            wrong.append(slot)
        else:
            raise SourceError(f"the node does not list {signature}, which its block in slot {slot} holds")
    if not wrong:
        return stored.undo_after
    return max(
        finalized, min([slot - 1 for slot in wrong] + ([stored.undo_after] if stored.undo_after is not None else []))
    )
