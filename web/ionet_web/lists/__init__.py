"""The API's lists as tables: which columns a reader needs, in which order, and by what a list can be narrowed."""

from __future__ import annotations

from ionet_web.lists import market, money, record, stakes, trust
from ionet_web.lists.base import Listed as Listed

GROUPS = {
    "The market": market.LISTS,
    "Trust": trust.LISTS,
    "Money": money.LISTS,
    "Stake": stakes.LISTS,
    "The record": record.LISTS,
}
LISTS = {listed.name: listed for group in GROUPS.values() for listed in group}
