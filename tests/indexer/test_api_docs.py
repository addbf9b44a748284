"""The table in docs/api.md names every path of the API and what each can be narrowed by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from ionet.program import PROGRAM
from ionet_indexer.api.app import create_app
from ionet_indexer.core.reader import Reader

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
ROW = re.compile(r"^\| (`/[^|]+) \|([^|]*)\|[^|]*\|$", re.MULTILINE)
PAGING = {"cursor", "limit", "since", "until"}
# Served, but not part of the described API.
UNLISTED = {"/metrics", "/docs", "/openapi.json"}


def described() -> dict[str, set[str]]:
    """Path → its query parameters, as OpenAPI has them; path parameters have no name."""
    document: dict[str, Any] = create_app(cast(Reader, None), PROGRAM.codec).openapi_schema.to_schema()
    found = {}
    for path, methods in document["paths"].items():
        for parameters in (each.get("parameters", []) for name, each in methods.items() if name == "get"):
            found[re.sub(r"\{.*?\}", "{}", path)] = {item["name"] for item in parameters if item["in"] == "query"}
    return found


def documented() -> dict[str, set[str]]:
    found = {}
    for paths, filters in ROW.findall(DOCS.read_text()):
        first, *items = (re.sub(r"\{.*?\}", "{}", path) for path in re.findall(r"`([^`]+)`", paths))
        found[first] = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", filters)))
        found |= {item: set[str]() for item in items}
    return found


def test_the_table_names_every_path_and_filter() -> None:
    api = described()
    assert {path: names for path, names in documented().items() if path not in UNLISTED} == {
        path: names - PAGING for path, names in api.items()
    }
