"""The indexer's series as drawings."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ionet.cli import human

from ionet_web.blocks import Chart, address
from ionet_web.charts import Bar, bars
from ionet_web.indexer import Indexer

HOURS, DAYS = 168, 90
DAY = 86_400  # seconds
_STEPS = {"hour": (3_600, HOURS, "%m-%d %H:%M"), "day": (DAY, DAYS, "%Y-%m-%d")}


async def drawn(indexer: Indexer, of: str, field: str, title: str, note: str, *, step: str = "hour") -> Chart:
    """A field of `network`, `model:<code>` or `country:<letters>` over the last week by hour, or 90 days by day."""
    secs, count, form = _STEPS[step]
    since = int(time.time()) // secs * secs - (count - 1) * secs
    asked: dict[str, str | int] = {"of": of, "field": field, "step": step, "since": since, "limit": count}
    answer = await indexer.listed("series", **asked)
    begun = min((int(item["start"]) for item in answer["items"]), default=since + count * secs)
    begun = min(begun, since + count * secs)  # whatever the indexer says
    before = [Bar(_name(at, form), None, "nothing yet") for at in range(since, begun, secs)]
    found = [*before, *(_bar(item, field, form) for item in answer["items"])]
    return Chart(title, bars(found, title), note, address("/v1/series", **asked))


def _bar(item: dict[str, Any], field: str, form: str) -> Bar:
    at = _name(item["start"], form)
    if item["value"] is None:
        return Bar(at, None, "unknown")
    value = int(item["value"])
    return Bar(at, value, _words(field, value))


def _name(unix: int, form: str) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):{form}}"


def _words(field: str, value: int) -> str:
    """A value in the unit of its field; see the table of fields in `docs/api.md`."""
    if field == "utilisation":
        return human.percent(value)
    if field == "price-asked":
        return human.hourly(value)
    if field.startswith("price-settled-"):
        return f"{human.money(value, field.rpartition('-')[2])}/h"
    token = {"stake": "IO", "slashed": "IO", "backing": "IO", "IOSD-supply": "IOSD"}.get(field)
    if token is None and field.startswith(("income-", "fees-", "burned-")):
        token = field.rpartition("-")[2]
    return human.money(value, token) if token is not None else human.grouped(str(value))


def day_name(unix: int) -> str:
    """A day of UTC."""
    return _name(unix, "%Y-%m-%d")
