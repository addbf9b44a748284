"""Assembles the IDL (spec 0.1.0) from what Anchor's IDL tests print, as `anchor idl build` does.

Use: idl.py < TEST_OUTPUT > IDL.json. The parts come in the order the tests ran; everything is sorted by name,
errors by code, so that the same program always gives the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

PART = re.compile(r"^--- IDL begin (\w+) ---\n(.*?)^--- IDL end \1 ---$", re.MULTILINE | re.DOTALL)
MODULE_PATH = re.compile(r'"(?:\w+::)+(\w+)"')


def assemble(output: str) -> dict[str, Any]:
    """One IDL document; exits when the output holds no program or two types share a name."""
    parts: dict[str, list[Any]] = {}
    for kind, text in PART.findall(output):
        parts.setdefault(kind, []).append(text.strip().strip('"') if kind == "address" else json.loads(text))
    if len(parts.get("program", [])) != 1:
        sys.exit("the IDL tests printed no program, or more than one")
    idl: dict[str, Any] = parts["program"][0]
    events = parts.get("event", [])
    types: dict[str, Any] = {}
    for item in [*idl.get("types", []), *(t for event in events for t in event["types"])]:
        if types.setdefault(item["name"], item) != item:
            sys.exit(f"two different types are called {item['name']}")
    idl["address"] = parts["address"][0]
    idl["events"] = [event["event"] for event in events]
    idl["errors"] = sorted((e for block in parts.get("errors", []) for e in block), key=lambda e: int(e["code"]))
    idl["constants"] = parts.get("const", [])
    idl["types"] = list(types.values())
    for key in ("accounts", "constants", "events", "instructions", "types"):
        idl[key] = sorted(idl.get(key, []), key=lambda item: str(item["name"]))
    return without_aliases(short_names(idl))


def without_aliases(idl: dict[str, Any]) -> dict[str, Any]:
    """Types that are only another name of a type are written out where they are used: some readers know none."""
    aliases = {item["name"]: item["type"]["alias"] for item in idl["types"] if item["type"]["kind"] == "type"}

    def written_out(value: Any) -> Any:
        if isinstance(value, list):
            return [written_out(item) for item in value]
        if not isinstance(value, dict):
            return value
        name = value["defined"]["name"] if value.keys() == {"defined"} else None
        if name in aliases:
            return written_out(aliases[name])
        return {key: written_out(item) for key, item in value.items()}

    result: dict[str, Any] = written_out(idl)
    result["types"] = [item for item in result["types"] if item["name"] not in aliases]
    return result


def short_names(idl: dict[str, Any]) -> dict[str, Any]:
    """Module paths become plain names; a name in two modules is refused."""
    text = json.dumps(idl)
    paths: dict[str, str] = {}
    for found in MODULE_PATH.finditer(text):
        if paths.setdefault(found[1], found[0]) != found[0]:
            sys.exit(f"two modules define {found[1]}")
    result: dict[str, Any] = json.loads(MODULE_PATH.sub(r'"\1"', text))
    return result


def pretty(idl: dict[str, Any]) -> str:
    """Indented JSON with lists of numbers (discriminators, seeds) on one line."""
    text = json.dumps(idl, indent=2, ensure_ascii=False)
    return re.sub(r"\[[\d,\s]+\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text)


if __name__ == "__main__":
    print(pretty(assemble(sys.stdin.read())))
