"""Loaded by schemathesis in its own environment: real addresses and cursors where made-up ones would find nothing.

Every second value that the schema allows is replaced; what it does not allow stays as it was made.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
import zlib
from functools import cache
from typing import Any

import schemathesis

API = os.environ["IONET_API"]
ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
STREAM_ID = re.compile(r"\d+-\d+")
LISTS = ("nodes", "clusters", "leases", "cases", "stakes", "mints", "payments", "buybacks", "node-terms", "proofs")
ITEMS = {"nodes": "node", "clusters": "cluster", "leases": "lease", "cases": "case", "stakes": "position"}
NEEDED = {"/v1/series": "of=network&field=listed&", "/v1/leaders": "by=served&of=node&"}


def get(path: str) -> Any:
    with urllib.request.urlopen(API + path, timeout=20) as answer:
        return json.load(answer)


@cache
def known() -> dict[str, list[str]]:
    """Field → values that are there."""
    found: dict[str, list[str]] = {}
    for name in LISTS:
        for item in get(f"/v1/{name}")["items"]:
            for field, value in item.items():
                if isinstance(value, str) and value not in found.setdefault(field, []):
                    found[field].append(value)
    return found | {"entity": found["lease"] + found["node"], "wallet": found["owner"] + found["renter"]}


@cache
def models() -> list[str]:
    """What device models are called, and their codes."""
    return [str(item[field]) for item in get("/v1/models?limit=200")["items"] for field in ("code", "name")]


@cache
def next_page(path: str) -> str | None:
    """A cursor of a list; None where it has one page."""
    found: str | None = None if "{" in path else get(f"{path}?{NEEDED.get(path, '')}limit=1")["next"]
    return found


def real(field: str, value: Any) -> Any:
    """Something that is there, for every second value."""
    number = zlib.crc32(repr(value).encode())
    values = known().get(field, [])
    return values[number // 2 % len(values)] if values and number % 2 else value


def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - its form
    """Put them in."""
    path, query = case.operation.path, case.query or {}
    for field, value in list(query.items()):
        if isinstance(value, str) and ADDRESS.fullmatch(value):
            query[field] = real(field, value)
    if "cursor" in query and case.meta.generation.mode.is_positive:  # it may have any text, but no other works
        query.pop("cursor")
        if (cursor := next_page(path)) is not None:
            query["cursor"] = cursor
    if "model" in query and case.meta.generation.mode.is_positive:  # likewise: what nothing is called is refused
        query["model"] = models()[zlib.crc32(repr(query["model"]).encode()) % len(models())]
    for field, value in list((case.path_parameters or {}).items()):
        if isinstance(value, str) and re.fullmatch(r"[1-9A-HJ-NP-Za-km-z]{32,88}", value):
            case.path_parameters[field] = real(ITEMS.get(path.split("/")[2], field) if field == "key" else field, value)
    if path == "/v1/stream" and not (set(query) - {"after", "finalized"}):
        start_at_the_beginning(case, query)


def start_at_the_beginning(case: Any, query: dict[str, Any]) -> None:
    """A stream that goes on from now has nothing to say until something happens."""
    if STREAM_ID.fullmatch(str(query.get("after", "0-0"))):
        case.query = {**query, "after": "0-0"}
        for name in list(case.headers or {}):
            if name.lower() == "last-event-id" and STREAM_ID.fullmatch(case.headers[name] or "0-0"):
                case.headers.pop(name)


schemathesis.hook(before_call)
