"""What a wallet can sign on these pages: fields, the same on the command line, and what the signed bytes must say.

The page compares every transaction that it is given with `expected`, which is made here from the program's IDL: what
builds transactions (another process, maybe another's) is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import segno
from ionet.generated.enums import IO_DECIMALS, USD_DECIMALS, Currency
from ionet.program import PROGRAM
from markupsafe import Markup
from spl.token.constants import ASSOCIATED_TOKEN_PROGRAM_ID

from ionet_web.blocks import Act, Choice, Note, Phone, address

_BUDGET = "ComputeBudget111111111111111111111111111111"
_TAG_BYTES = 8
_SIZES = {"bool": 1, "u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "pubkey": 32}
_LONGEST_LINK = 1_000
_WORDS = {"currency": [(currency.name or "", currency.name or "") for currency in Currency]}
ACCOUNT = "account"
"""As a field: the wallet itself."""


class Number(NamedTuple):
    """An argument that a field decides: its number × 10^decimals × times."""

    argument: str
    field: str
    decimals: int = 0
    times: int = 1


class Key(NamedTuple):
    """An account that a field decides; where that lists several, each instruction has the next one."""

    slot: str
    field: str


class Bound(NamedTuple):
    """An argument that says how much of a token must come at least, or goes at most, of what is shown."""

    argument: str
    token: str


class Part(NamedTuple):
    """An instruction. fewest, most: how often it is there. addresses: (argument, field). own: accounts that must be the
    wallet's, which the transaction shows by opening them: the program of token accounts refuses another's."""

    name: str
    numbers: tuple[Number, ...] = ()
    keys: tuple[Key, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()
    comes: Bound | None = None
    goes: Bound | None = None
    own: tuple[str, ...] = ()
    fewest: int = 1
    most: int = 1


class Sort(NamedTuple):
    """One kind of action. fields: (name, label) of what a person fills in. command: the same without a browser.

    parts: the instructions of which it is made, besides compute budget and the opening of own token accounts.
    """

    title: str
    about: str
    fields: tuple[tuple[str, str], ...]
    command: str
    parts: tuple[Part, ...]


_NODE, _CURRENCY = ("node", "Node"), ("currency", "Currency")
_STAKERS = (Key("staker", ACCOUNT), Key("node", "node"))
_ENDING = (Key("authority", ACCOUNT), Key("cluster", "cluster"))
_OWED = Part("open_owed", fewest=0)
MOST_NODES, _MOST_LEASES = 4, 8
SORTS: Mapping[str, Sort] = {
    "rent": Sort(
        "Rent nodes",
        "Opens a cluster with a budget of what its nodes cost at most, fee included, and books them. What is not used "
        f"comes back. At most {MOST_NODES} nodes at a time; the command line books any number. A budget cannot grow: "
        "what is locked beyond the price is there to extend them.",
        (("nodes", "Nodes"), ("minutes", "Minutes"), ("spare", "IOSD beyond the price")),
        "ionet run --model MODEL --nodes N --hours H -- COMMAND",
        (
            Part("open_cluster", (), (Key("renter", ACCOUNT),), goes=Bound("args.deposit", "IOSD")),
            Part(
                "add_lease",
                (Number("duration", "minutes", times=60),),
                (Key("renter", ACCOUNT), Key("node", "nodes")),
                most=MOST_NODES,
            ),
        ),
    ),
    "fund": Sort(
        "Fund a cluster",
        "Puts a budget of IOSD in escrow, from which leases are paid. What is not used comes back.",
        (("iosd", "IOSD"),),
        "ionet cluster open AMOUNT",
        (Part("open_cluster", (Number("args.deposit", "iosd", USD_DECIMALS),), (Key("renter", ACCOUNT),)),),
    ),
    "extend": Sort(
        "Extend a cluster",
        "Adds time to each of its running leases, at the price of their booking, out of what is free of its budget.",
        (("cluster", "Cluster"), ("minutes", "Minutes more")),
        "ionet extend NAME 30m",
        (
            Part(
                "extend_lease",
                (Number("extra_secs", "minutes", times=60),),
                (Key("renter", ACCOUNT), Key("cluster", "cluster")),
                most=_MOST_LEASES,
            ),
        ),
    ),
    "end": Sort(
        "End a cluster",
        "Ends its leases. Each is paid for the time that it ran; what is left comes back when all are settled.",
        (("cluster", "Cluster"),),
        "ionet down NAME",
        (
            Part("end_lease", (), _ENDING, fewest=0, most=_MOST_LEASES),
            Part("reject_ready", (), _ENDING, fewest=0, most=_MOST_LEASES),
            Part("close_cluster", (), (Key("renter", ACCOUNT), Key("cluster", "cluster")), fewest=0),
            _OWED,
        ),
    ),
    "register": Sort(
        "Register a node",
        "Your wallet owns it and is paid; the machine signs with a device key of its own, which this page makes "
        "and gives to you alone. Leases last an hour to 30 days, paid in IOSD. It can be hired once it has its stake.",
        (
            ("device", "Device key"),
            ("model", "Model's code"),
            ("processors", "Processors"),
            ("price", "Dollars per processor-hour"),
            ("country", "Country, two letters"),
        ),
        "ionet node up",
        (
            Part(
                "register_node",
                (
                    Number("model_code", "model"),
                    Number("processors", "processors"),
                    Number("terms.price", "price", USD_DECIMALS),
                ),
                (Key("owner", ACCOUNT), Key("device_key", "device")),
                (("terms.payout", ACCOUNT), ("terms.fee_payer", "device")),
            ),
        ),
    ),
    "mint": Sort(
        "Mint IOSD",
        "IO is burned at the oracle's price. If the price moves by more than 1 % until then, nothing happens.",
        (("io", "IO to burn"),),
        "ionet iosd mint AMOUNT",
        (
            Part(
                "mint_iosd",
                (Number("io_amount", "io", IO_DECIMALS),),
                (Key("wallet", ACCOUNT),),
                comes=Bound("min_iosd", "IOSD"),
            ),
        ),
    ),
    "redeem": Sort(
        "Redeem IOSD",
        "IOSD is burned for IO at the oracle's price. If it moves by more than 1 % until then, nothing happens.",
        (("iosd", "IOSD to redeem"),),
        "ionet iosd redeem AMOUNT",
        (
            Part(
                "redeem_iosd",
                (Number("iosd_amount", "iosd", USD_DECIMALS),),
                (Key("wallet", ACCOUNT),),
                comes=Bound("min_io", "IO"),
            ),
        ),
    ),
    "stake": Sort(
        "Stake IO",
        "Behind a node: your own, or one whose owner shares. What a node does wrong is taken from its stake.",
        (_NODE, ("io", "IO to stake")),
        "ionet stake add NODE AMOUNT",
        (Part("stake", (Number("amount", "io", IO_DECIMALS),), _STAKERS),),
    ),
    "unbond": Sort(
        "Unbond stake",
        "Starts the cooldown, in which it earns nothing and can still be slashed. More than there is means all of it.",
        (_NODE, ("io", "IO to unbond")),
        "ionet stake unbond NODE AMOUNT",
        (Part("request_unbond", (Number("amount", "io", IO_DECIMALS),), _STAKERS),),
    ),
    "withdraw": Sort(
        "Withdraw stake",
        "Pays out what has been through its cooldown.",
        (_NODE,),
        "ionet stake withdraw NODE",
        (Part("withdraw", (), _STAKERS), _OWED),
    ),
    "claim": Sort(
        "Claim rewards",
        "Pays out what stake behind a node has earned.",
        (_NODE,),
        "ionet stake claim NODE",
        (Part("claim_rewards", (), _STAKERS), _OWED),
    ),
    "income": Sort(
        "Claim income",
        "Pays out a co-staker's part of what leases of a node earned, in one currency.",
        (_NODE, _CURRENCY),
        "ionet stake claim-income NODE CURRENCY",
        (Part("claim_income", (), (Key("node", "node"),), own=("to",)), _OWED),
    ),
    "owed": Sort(
        "Claim what waits",
        "Pays out what waits for your wallet because its token account could not take it. Where that account is frozen "
        "or was given away, the command line pays another one: --to ACCOUNT.",
        (_CURRENCY,),
        "ionet keys claim CURRENCY",
        (Part("claim_owed", (), (Key("owner", ACCOUNT),), own=("to",)),),
    ),
}


_USUAL = {"spare": "0"}


def act(kind: str, given: Mapping[str, str], origin: str = "") -> Act:
    """The form of a kind, with what an address of the page already says.

    origin: of these pages, as the reader sees it: where a phone that was asked for is sent.
    """
    sort = SORTS[kind]
    choices = [
        Choice(name, label, given.get(name, _USUAL.get(name, "")), _WORDS.get(name, ())) for name, label in sort.fields
    ]
    said = msgspec.json.encode(expected(sort)).decode()
    phone = _phone(kind, choices, origin) if "phone" in given and all(each.value for each in choices) else None
    return Act(sort.title, kind, sort.about, choices, sort.command, said, phone)


def _phone(kind: str, choices: Sequence[Choice], origin: str) -> Phone | None:
    """None for what is too long for a code."""
    url = address(f"{origin}/actions/{kind}", **{choice.name: choice.value for choice in choices})
    link = f"solana:{quote(url, safe='')}"
    if len(link) > _LONGEST_LINK:
        return None
    code = segno.make(link, error="m", micro=False)
    return Phone(link, Markup(code.svg_inline(svgclass=None, lineclass=None, omitsize=True, dark="#000", light="#fff")))


def ways(*kinds: str, **given: str) -> Note:
    """Where these actions are signed, their fields filled in as far as these are given."""
    return Note(Markup(" · ").join(way(kind, **given) for kind in kinds))


def way(kind: str, **given: str) -> Markup:
    """Where an action is signed, its fields filled in as far as these are given."""
    fields = {name: given[name] for name, _ in SORTS[kind].fields if name in given}
    return Markup('<a href="{}">{}</a>').format(address(f"/act/{kind}", **fields), SORTS[kind].title)


def expected(sort: Sort) -> dict[str, Any]:
    """What every transaction of this kind must say, for web/bundle/src/agree.ts."""
    return {
        "program": str(PROGRAM.id),
        "associated": str(ASSOCIATED_TOKEN_PROGRAM_ID),
        "budget": _BUDGET,
        "parts": [_part(part) for part in sort.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    places = {name: {"at": at, "size": size} for name, at, size in _arguments(part.name)}
    slots = [each.name for each in PROGRAM.codec.instruction(part.name).slots()]

    def bound(found: Bound | None) -> dict[str, Any] | None:
        return None if found is None else {"token": found.token, **places[found.argument]}

    return {
        "tag": bytes(PROGRAM.codec.instruction(part.name).discriminator).hex(),
        "fewest": part.fewest,
        "most": part.most,
        "numbers": [
            {"field": each.field, "decimals": each.decimals, "times": each.times, **places[each.argument]}
            for each in part.numbers
        ],
        "keys": [{"slot": slots.index(each.slot), "field": each.field} for each in part.keys],
        "own": [slots.index(slot) for slot in part.own],
        "addresses": [{"at": places[argument]["at"], "field": field} for argument, field in part.addresses],
        "comes": bound(part.comes),
        "goes": bound(part.goes),
    }


def _arguments(name: str) -> Iterator[tuple[str, int, int]]:
    """Name, place and size in bytes of each argument; of a struct's fields, with its name and a dot before theirs."""
    at = _TAG_BYTES
    for argument in PROGRAM.codec.instruction(name).args:
        for below, size in _leaves(argument.type):
            yield f"{argument.name}.{below}" if below else argument.name, at, size
            at += size


def _leaves(kind: Any) -> Iterator[tuple[str, int]]:
    if isinstance(kind, str):
        yield "", _SIZES[kind]
    elif "array" in kind:
        inner, count = kind["array"]
        yield "", count * sum(size for _, size in _leaves(inner))
    else:
        body: Any = PROGRAM.codec.idl.type_def(kind["defined"]["name"]).type
        for field in body.fields:
            for below, size in _leaves(field["type"]):
                yield f"{field['name']}.{below}" if below else field["name"], size
