"""What a wallet can sign on these pages: fields, the same on the command line, and what the signed bytes must say.

The page compares every transaction that it is given with `expected`, which is made here from the program's IDL: what
builds transactions (another process, maybe another's) is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from ionet.generated.enums import IO_DECIMALS, USD_DECIMALS
from ionet.program import PROGRAM
from spl.token.constants import ASSOCIATED_TOKEN_PROGRAM_ID

from ionet_web.blocks import Act, Choice

_BUDGET = "ComputeBudget111111111111111111111111111111"
_TAG_BYTES = 8
_SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
_DECIMALS = {"io": IO_DECIMALS, "iosd": USD_DECIMALS}


class Number(NamedTuple):
    """An argument that a field decides, in base units of a token."""

    argument: str
    field: str


class Key(NamedTuple):
    """An account that a field decides; the field `account` is the wallet itself."""

    slot: str
    field: str


class Sort(NamedTuple):
    """One kind of action. command: the same without a browser. fields: (name, label) of what a person fills in.

    main: the instruction that does it, at most `most` times; others may be with it. least: its argument that says how
    much of a token must come at least.
    """

    title: str
    about: str
    fields: tuple[tuple[str, str], ...]
    command: str
    main: str
    numbers: tuple[Number, ...] = ()
    keys: tuple[Key, ...] = ()
    others: tuple[str, ...] = ()
    least: Number | None = None
    most: int = 1


_NODE = ("node", "Node")
_OF_NODE = Key("node", "node")
SORTS: Mapping[str, Sort] = {
    "mint": Sort(
        "Mint IOSD",
        "IO is burned at the oracle's price. If the price moves by more than 1 % until then, nothing happens.",
        (("io", "IO to burn"),),
        "ionet iosd mint AMOUNT",
        "mint_iosd",
        (Number("io_amount", "io"),),
        (Key("wallet", "account"),),
        least=Number("min_iosd", "IOSD"),
    ),
    "redeem": Sort(
        "Redeem IOSD",
        "IOSD is burned for IO at the oracle's price. If it moves by more than 1 % until then, nothing happens.",
        (("iosd", "IOSD to redeem"),),
        "ionet iosd redeem AMOUNT",
        "redeem_iosd",
        (Number("iosd_amount", "iosd"),),
        (Key("wallet", "account"),),
        least=Number("min_io", "IO"),
    ),
    "stake": Sort(
        "Stake IO",
        "Behind a node: your own, or one whose owner shares. What a node does wrong is taken from its stake.",
        (_NODE, ("io", "IO to stake")),
        "ionet stake add NODE AMOUNT",
        "stake",
        (Number("amount", "io"),),
        (Key("staker", "account"), _OF_NODE),
    ),
    "unbond": Sort(
        "Unbond stake",
        "Starts the cooldown, in which it earns nothing and can still be slashed. More than there is means all of it.",
        (_NODE, ("io", "IO to unbond")),
        "ionet stake unbond NODE AMOUNT",
        "request_unbond",
        (Number("amount", "io"),),
        (Key("staker", "account"), _OF_NODE),
    ),
    "withdraw": Sort(
        "Withdraw stake",
        "Pays out what has been through its cooldown.",
        (_NODE,),
        "ionet stake withdraw NODE",
        "withdraw",
        (),
        (Key("staker", "account"), _OF_NODE),
        ("open_owed",),
    ),
    "claim": Sort(
        "Claim rewards",
        "Pays out what stake behind a node has earned.",
        (_NODE,),
        "ionet stake claim NODE",
        "claim_rewards",
        (),
        (Key("staker", "account"), _OF_NODE),
        ("open_owed",),
    ),
}


def act(kind: str, given: Mapping[str, str]) -> Act:
    """The form of a kind, with what an address of the page already says."""
    sort = SORTS[kind]
    choices = [Choice(name, label, given.get(name, "")) for name, label in sort.fields]
    return Act(sort.title, kind, sort.about, choices, sort.command, msgspec.json.encode(expected(sort)).decode())


def expected(sort: Sort) -> dict[str, object]:
    """What every transaction of this kind must say, for web/bundle/src/agree.ts."""
    return {
        "program": str(PROGRAM.id),
        "associated": str(ASSOCIATED_TOKEN_PROGRAM_ID),
        "budget": _BUDGET,
        "main": _tag(sort.main),
        "others": [_tag(name) for name in sort.others],
        "most": sort.most,
        "numbers": [_number(sort.main, each) for each in sort.numbers],
        "least": None if sort.least is None else {"token": sort.least.field, **_place(sort.main, sort.least.argument)},
        "keys": [{"slot": _slot(sort.main, each.slot), "field": each.field} for each in sort.keys],
    }


def _tag(name: str) -> str:
    return bytes(PROGRAM.codec.instruction(name).discriminator).hex()


def _slot(name: str, slot: str) -> int:
    return [each.name for each in PROGRAM.codec.instruction(name).slots()].index(slot)


def _number(name: str, number: Number) -> dict[str, object]:
    return {"field": number.field, "decimals": _DECIMALS[number.field], **_place(name, number.argument)}


def _place(name: str, wanted: str) -> dict[str, int]:
    """Where an argument stands in the instruction's data."""
    at = _TAG_BYTES
    for argument in PROGRAM.codec.instruction(name).args:
        size = _SIZES[str(argument.type)]
        if argument.name == wanted:
            return {"at": at, "size": size}
        at += size
    raise KeyError(wanted)
