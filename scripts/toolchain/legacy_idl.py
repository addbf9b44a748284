"""Writes the pre-0.30 form of an IDL, which anchorpy 0.21 still reads.

Use: legacy_idl.py < IDL.json > IDL.legacy.json. That form has no discriminators (only the default hashes work),
no addresses, no PDA seeds and no zero-copy marks. Zero-copy structs become plain ones: their padding is spelt out
as fields, so reading field after field gives the same values. Events move out of the types.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from typing import Any

Json = dict[str, Any]


def camel(name: str) -> str:
    """snake_case or PascalCase → camelCase."""
    head, *rest = [word for word in re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).split("_") if word]
    return head.lower() + "".join(word[0].upper() + word[1:] for word in rest)


class Legacy:
    """Converts one IDL; exits with the reason when something has no legacy form."""

    def __init__(self, idl: Json) -> None:
        self.idl = idl
        self.types: dict[str, Json] = {item["name"]: item for item in idl["types"]}

    def convert(self) -> Json:
        """The whole legacy document."""
        accounts = {item["name"] for item in self.named("accounts", "account")}
        events = {item["name"] for item in self.named("events", "event")}
        for item in self.idl["instructions"]:
            default_discriminator(item, "global")
        plain = [t for name, t in self.types.items() if name not in accounts | events and t["type"]["kind"] != "type"]
        return {
            "version": self.idl["metadata"]["version"],
            "name": self.idl["metadata"]["name"],
            "instructions": [self.instruction(item) for item in self.idl["instructions"]],
            "accounts": [self.definition(self.types[name]) for name in sorted(accounts)],
            "types": [self.definition(item) for item in plain],
            "events": [self.event(self.types[name]) for name in sorted(events)],
            "errors": [{k: e[k] for k in ("code", "name", "msg") if k in e} for e in self.idl["errors"]],
            "metadata": {"address": self.idl["address"]},
        }

    def named(self, key: str, namespace: str) -> list[Json]:
        items: list[Json] = self.idl[key]
        for item in items:
            default_discriminator(item, namespace)
        return items

    def instruction(self, item: Json) -> Json:
        return {
            "name": camel(item["name"]),
            "docs": item.get("docs", []),
            "accounts": [self.account(a) for a in item["accounts"]],
            "args": self.fields(item["args"]),
        }

    def account(self, item: Json) -> Json:
        if "accounts" in item:
            return {"name": camel(item["name"]), "accounts": [self.account(a) for a in item["accounts"]]}
        account = {
            "name": camel(item["name"]),
            "isMut": item.get("writable", False),
            "isSigner": item.get("signer", False),
        }
        return account | ({"isOptional": True} if item.get("optional") else {})

    def definition(self, item: Json) -> Json:
        body = item["type"]
        if item.get("generics"):
            sys.exit(f"{item['name']}: generics have no legacy form")
        if body["kind"] == "struct":
            return {"name": item["name"], "type": {"kind": "struct", "fields": self.fields(body.get("fields", []))}}
        variants = [{"name": v["name"]} | self.variant(v.get("fields")) for v in body["variants"]]
        return {"name": item["name"], "type": {"kind": "enum", "variants": variants}}

    def variant(self, fields: list[Any] | None) -> Json:
        if not fields:
            return {}
        named = isinstance(fields[0], dict) and "name" in fields[0]
        return {"fields": self.fields(fields) if named else [self.type(field) for field in fields]}

    def event(self, item: Json) -> Json:
        fields = self.fields(item["type"].get("fields", []))
        return {"name": item["name"], "fields": [field | {"index": False} for field in fields]}

    def fields(self, fields: list[Json]) -> list[Json]:
        result = [{"name": camel(field["name"]), "type": self.type(field["type"])} for field in fields]
        names = [field["name"] for field in result]
        if len(set(names)) != len(names):
            sys.exit(f"two fields get the same legacy name: {names}")
        return result

    def type(self, kind: Any) -> Any:
        if kind == "pubkey":
            return "publicKey"
        if isinstance(kind, str):
            return kind
        if "defined" in kind:
            name = kind["defined"]["name"]
            body = self.types[name]["type"]
            return self.type(body["alias"]) if body["kind"] == "type" else {"defined": name}
        if "array" in kind:
            element, length = kind["array"]
            return {"array": [self.type(element), length]}
        ((outer, inner),) = kind.items()
        return {outer: self.type(inner)}


def default_discriminator(item: Json, namespace: str) -> None:
    """Exits unless the item has the discriminator that a legacy client computes from its name."""
    default = hashlib.sha256(f"{namespace}:{item['name']}".encode()).digest()[:8]
    if bytes(item["discriminator"]) != default:
        sys.exit(f"{item['name']}: a custom discriminator has no legacy form")


if __name__ == "__main__":
    print(json.dumps(Legacy(json.load(sys.stdin)).convert(), indent=2, ensure_ascii=False))
