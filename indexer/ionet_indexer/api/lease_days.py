"""What the intervals of an open lease count for its node's reputation, day by day, from the lease's sums.

Each counts by `ionet.rules.reputation.counted`; of the ordinary ones, which are paid in their order, the sums say as
much. The SQL function `interval_counts` is the same rule, for a lease that is closed (`lease_reputation`).
"""

from __future__ import annotations

from collections import Counter

from ionet.rules.reputation import counted

from ionet_indexer.api.lease_books import Challenged, LeaseBooks, Logged
from ionet_indexer.core.days import DAY


async def lease_days(books: LeaseBooks, first: int, now: int) -> list[tuple[int, int, int]]:
    """(day, seconds kept and paid for, seconds of intervals not kept) from the first day on.

    An interval counts when no proof of it can come any more.
    """
    if not books.row["intervals"]:
        return []
    start, length = books.row["started_at"], books.row["interval_secs"]
    # A proof may come two intervals late. Only the lease's last interval may be shorter than the others.
    begin = max(0, -(-(first * DAY - start) // length) - 1)
    end = min(books.row["intervals"], (now - start) // length - 2)
    kept: Counter[int] = Counter()
    unkept: Counter[int] = Counter()

    def add(each: Logged | Challenged) -> None:
        starts_at, ends_at = books.bounds(each.number)
        paid = each.payment is not None
        good, bad = counted(ends_at - starts_at, each.secs, kept=bool(each.kept), challenge=each.challenge, paid=paid)
        kept[ends_at // DAY] += good
        unkept[ends_at // DAY] += bad

    last = books.row["intervals"] - 1
    if books.bounds(last)[1] != start + (last + 1) * length and last <= end:
        end = last
        ends_at = books.bounds(last)[1]
        if ends_at + 2 * length <= now and ends_at >= first * DAY and last not in books.challenged:
            (shorter,) = await books.log(last, last + 1)
            add(shorter)
    days = range((start + (begin + 1) * length) // DAY, (start + end * length) // DAY + 1) if begin < end else range(0)
    # The first interval that ends on each day, and after the last day.
    edges = [begin, *(min(end, -(-(day * DAY - start) // length) - 1) for day in days[1:]), end] if days else []
    paid_until = await books.unpaid_from()
    await books.load([*edges, paid_until])
    for day, low, high in zip(days, edges, edges[1:], strict=False):
        before, after = await books.kept_before(low), await books.kept_before(high)
        apart = sum(low <= number < high for number in books.challenged)
        unkept[day] += (high - low - apart - (after[0] - before[0])) * length
        paid = [(await books.kept_before(min(edge, paid_until)))[1] for edge in (low, high)]
        kept[day] += paid[1] - paid[0]
    for each in books.challenged.values():
        ends_at = books.bounds(each.number)[1]
        if first * DAY <= ends_at <= now - 2 * length:
            add(each)
    return [(day, kept[day], unkept[day]) for day in sorted({*kept, *unkept}) if kept[day] or unkept[day]]
