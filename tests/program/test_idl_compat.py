"""A later IDL keeps what every released one promised: the check notices each way of breaking that."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from ionet.idl import Idl, bundled, load
from program.releases import Release

from .compat import breaks, longer_lists

pytestmark = pytest.mark.matrix

RELEASED = Release.all()
# Breaks that were looked at and allowed: release -> line of the check -> the reason. See docs/upgrade.md.
REVIEWED: dict[str, dict[str, str]] = {}

Doc = dict[str, Any]


def named(document: Doc, section: str, name: str) -> Doc:
    (found,) = [item for item in document[section] if item["name"] == name]
    item: Doc = found
    return item


def slots(document: Doc, instruction: str) -> list[Doc]:
    accounts: list[Doc] = named(document, "instructions", instruction)["accounts"]
    return accounts


def fields(document: Doc, name: str) -> list[Doc]:
    found: list[Doc] = named(document, "types", name)["type"]["fields"]
    return found


def at(items: list[Doc], name: str) -> int:
    return [item["name"] for item in items].index(name)


def field(document: Doc, name: str, of: str) -> Doc:
    found = fields(document, of)
    return found[at(found, name)]


def swap(items: list[Doc], first: int, second: int) -> None:
    items[first], items[second] = items[second], items[first]


def drop(document: Doc, section: str, name: str) -> None:
    document[section].remove(named(document, section, name))


def after_lists(document: Doc, instruction: str, **slot: Any) -> None:
    """Appends an account where the rules allow it: before those of the events."""
    found = slots(document, instruction)
    found.insert(len(found) - 2, slot)


def take_discriminator(document: Doc) -> None:
    taken = named(document, "instructions", "burn")["discriminator"]
    drop(document, "instructions", "burn")
    document["instructions"].append({"name": "toast", "discriminator": taken, "accounts": [], "args": []})


# What is done to the committed IDL, and the only lines that may come of it.
DOCTORED: dict[str, tuple[Callable[[Doc], object], list[str]]] = {
    "program moved": (
        lambda d: d.update(address="11111111111111111111111111111111"),
        [r"program: its address changed from \w+ to 1{32}"],
    ),
    "instruction removed": (lambda d: drop(d, "instructions", "burn"), ["instruction burn: removed"]),
    "instruction renumbered": (
        lambda d: named(d, "instructions", "burn").update(discriminator=[0] * 8),
        ["instruction burn: its discriminator changed"],
    ),
    "instruction replaced": (
        take_discriminator,
        ["instruction burn: removed", "instruction toast: takes the discriminator of burn"],
    ),
    "argument added": (
        lambda d: named(d, "instructions", "stake")["args"].append({"name": "memo", "type": "u8"}),
        [
            r"instruction stake: its arguments changed from \(amount: u64\) to \(amount: u64, memo: u8\); "
            "make it a new instruction"
        ],
    ),
    "argument retyped": (
        lambda d: named(d, "instructions", "stake")["args"][0].update(type="u128"),
        [r"instruction stake: its arguments changed from \(amount: u64\) to \(amount: u128\); .*"],
    ),
    "arguments reordered": (
        lambda d: named(d, "instructions", "mint_iosd")["args"].reverse(),
        [r"instruction mint_iosd: its arguments changed from \(io_amount: u64, min_iosd: u64\) to .*"],
    ),
    "result": (
        lambda d: named(d, "instructions", "stake").update(returns="u64"),
        ["instruction stake: returns another type"],
    ),
    "accounts reordered": (
        lambda d: swap(slots(d, "burn"), 0, 1),
        [r"instruction burn: account 0 was \w+, now \w+"],
    ),
    "account dropped": (
        lambda d: slots(d, "settle_lease").pop(-3),
        ["instruction settle_lease: account [0-9]+ was income_owed, now nothing"],
    ),
    "account inserted": (
        lambda d: slots(d, "burn").insert(0, {"name": "payer", "optional": True}),
        [r"instruction burn: account 0 was \w+, now payer"],
    ),
    "new account is required": (
        lambda d: after_lists(d, "burn", name="payer"),
        ["instruction burn: new account payer is not optional"],
    ),
    "account must sign": (
        lambda d: slots(d, "settle_lease")[at(slots(d, "settle_lease"), "node")].update(signer=True),
        ["instruction settle_lease: account node was writable, now writable, signer"],
    ),
    "account elsewhere": (
        lambda d: slots(d, "burn")[at(slots(d, "burn"), "network")]["pda"]["seeds"][0].update(value=[1, 2]),
        ["instruction burn: account network is at another address"],
    ),
    "events elsewhere": (
        lambda d: swap(slots(d, "burn"), -1, -2),
        ["instruction burn: does not end with the same accounts of its events"],
    ),
    "error removed": (lambda d: d["errors"].pop(), [r"error \w+: removed, its code was [0-9]+"]),
    "error moved": (
        lambda d: d["errors"][3].update(code=6999),
        [r"error \w+: moved from code 6003 to 6999"],
    ),
    "account type removed": (lambda d: drop(d, "accounts", "Lease"), ["account Lease: removed"]),
    "account type renumbered": (
        lambda d: named(d, "accounts", "Lease").update(discriminator=[9] * 8),
        ["account Lease: its discriminator changed"],
    ),
    "fields reordered": (
        lambda d: swap(fields(d, "Lease"), 0, 1),
        [r"account Lease: \w+ moved from byte 0 to byte 32", r"account Lease: \w+ moved from byte 32 to byte 0"],
    ),
    "field removed for spare bytes": (
        lambda d: field(d, "version", of="Lease").update(name="_version", type={"array": ["u8", 1]}),
        ["account Lease: version removed"],
    ),
    "field renamed": (
        lambda d: field(d, "version", of="Lease").update(name="revision"),
        ["account Lease: version was renamed to revision, under which old readers do not find it"],
    ),
    "field retyped": (
        lambda d: field(d, "version", of="Lease").update(type="i8"),
        ["account Lease: version changed from u8 to i8"],
    ),
    "account shrinks": (
        lambda d: field(d, "_padding", of="Node").update(type={"array": ["u8", 3]}),
        ["account Node: shrinks from ([0-9]+) to ([0-9]+) bytes"],
    ),
    "account grows": (
        lambda d: fields(d, "Lease").append({"name": "extra", "type": "u64"}),
        ["account Lease: grows from ([0-9]+) to ([0-9]+) bytes, which needs a migration"],
    ),
    "account serialized": (
        lambda d: named(d, "types", "Lease").update(serialization="borsh"),
        ["account Lease: serialized in another way"],
    ),
    "event removed": (lambda d: drop(d, "events", "LeaseSettled"), ["event LeaseSettled: removed"]),
    "event renumbered": (
        lambda d: named(d, "events", "LeaseSettled").update(discriminator=[9] * 8),
        ["event LeaseSettled: its discriminator changed"],
    ),
    "event field inserted": (
        lambda d: fields(d, "LeaseSettled").insert(1, {"name": "memo", "type": "u8"}),
        [r"event LeaseSettled: field 1 was \w+: \w+, now memo: u8; append new fields at the end"],
    ),
    "event field removed": (
        lambda d: fields(d, "LeaseSettled").pop(),
        [r"event LeaseSettled: field [0-9]+ was \w+: \w+, now nothing; append new fields at the end"],
    ),
    "event field retyped": (
        lambda d: fields(d, "LeaseSettled")[2].update(type="u64"),
        [r"event LeaseSettled: field 2 was at: i64, now at: u64; append new fields at the end"],
    ),
    "type removed": (lambda d: drop(d, "types", "NodeTerms"), ["type NodeTerms: removed"]),
    "type's field renamed": (
        lambda d: field(d, "payout", of="NodeTerms").update(name="payee"),
        ["type NodeTerms: payout was renamed to payee, under which old readers do not find it"],
    ),
    "type's fields moved": (
        lambda d: swap(fields(d, "Pool"), 0, 2),
        ["type Pool: amount moved from byte 0 to byte 8", "type Pool: era moved from byte 8 to byte 4"],
    ),
    "type of another size": (
        lambda d: field(d, "_padding", of="Params").update(type={"array": ["u8", 84]}),
        [r"account Network: \w+ moved from byte [0-9]+ to byte [0-9]+"] * 6
        + ["account Network: grows from ([0-9]+) to ([0-9]+) bytes, which needs a migration"]
        + ["type Params: its size changed from ([0-9]+) to ([0-9]+) bytes"],
    ),
    "type of another kind": (
        lambda d: named(d, "types", "NodeTerms").update(type={"kind": "type", "alias": "u64"}),
        ["type NodeTerms: is another kind of type"],
    ),
}


def committed() -> Doc:
    document: Doc = json.loads(files("ionet").joinpath("artifacts", "ionet.json").read_text())
    return document


def parsed(document: Doc) -> Idl:
    return load(json.dumps(document))


@pytest.mark.parametrize("case", DOCTORED)
def test_a_break_is_noticed(case: str) -> None:
    change, lines = DOCTORED[case]
    document = committed()
    change(document)
    found = breaks(parsed(committed()), parsed(document))
    assert len(found) == len(lines), found
    assert all(re.fullmatch(line, text) for line, text in zip(lines, found, strict=True)), found


def carve(document: Doc) -> None:
    """Takes the last four of a node's bytes of padding for a field."""
    found = fields(document, "Node")
    spare = at(found, "_padding")
    found[spare]["type"]["array"][1] -= 4
    found.insert(spare + 1, {"name": "fresh", "type": "u32"})


ALLOWED: dict[str, Callable[[Doc], object]] = {
    "nothing": lambda _: None,
    "new instruction": lambda d: d["instructions"].append(
        {"name": "toast", "discriminator": [7] * 8, "accounts": [], "args": []}
    ),
    "new optional account": lambda d: after_lists(d, "burn", name="payer", optional=True),
    "new error": lambda d: d["errors"].append({"code": 6999, "name": "Toasted"}),
    "another message": lambda d: d["errors"][0].update(msg="in other words"),
    "spare bytes used": carve,
    "event field appended": lambda d: fields(d, "LeaseSettled").append({"name": "memo", "type": "u64"}),
    "docs": lambda d: field(d, "version", of="Lease").update(docs=["in other words"]),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_passes(case: str) -> None:
    document = committed()
    ALLOWED[case](document)
    assert breaks(parsed(committed()), parsed(document)) == []


def test_lists_that_got_longer_are_told() -> None:
    document = committed()
    after_lists(document, "burn", name="payer", optional=True)
    after_lists(document, "burn", name="owed", optional=True)
    assert longer_lists(parsed(committed()), parsed(document)) == {"burn": ("payer", "owed")}


# -- the committed program


def test_the_committed_idl_breaks_nothing_released() -> None:
    """Every release is compared; what was allowed is listed in REVIEWED, and what is listed is still a break."""
    assert {release.name: breaks(release.idl, bundled()) for release in RELEASED} == {
        release.name: list(REVIEWED.get(release.name, {})) for release in RELEASED
    }, "see docs/upgrade.md"
    assert REVIEWED.keys() <= {release.name for release in RELEASED}
