"""What people write is read the same everywhere: amounts as 1.5, durations as 90m, countries as DE, models as 4090.

Every parameter of every command is of a kind here, so that a new one cannot be read otherwise unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from client.cli.conftest import Shell
from client.cli.test_changes import leaves
from client.cli.village import Village
from ionet.cli import COMMANDS, _load
from ionet.wallet import write_keypair
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix

AMOUNT, DURATION, COUNTRY, MODEL, SHARE, CURRENCY = "amount", "duration", "country", "model", "share", "currency"
KINDS = {
    AMOUNT: {
        *("amount", "deposit", "quantity", "io", "iosd", "sol", "dollars", "confidence", "minimum", "maximum"),
        *("price", "max_price", "stake", "budget", "limit", "session_limit", "reference_price"),
    },
    DURATION: {
        *("duration", "min_duration", "max_duration", "since", "until", "within", "settle_every", "burn_every"),
        *("hours", "session_hours"),
    },
    COUNTRY: {"country"},
    MODEL: {"model", "gpu"},
    SHARE: {"share", "income", "bps", "min_coverage"},
    CURRENCY: {"currency", "token"},
}
# Of another kind in one command.
OTHERWISE = {
    ("trace", "result"): "hash",
    ("indexer backfill", "until"): "slot",
    ("network add-model", "code"): "number",
}
OTHERWISE |= {(f"network {verb}-model", "code"): MODEL for verb in ("enable", "disable", "propose", "apply")}
# Of the currency that the cluster has, which the chain says.
OTHERWISE |= {("cluster withdraw", "quantity"): "amount of the cluster's"}
GOOD = {AMOUNT: "1.5", DURATION: "90m", COUNTRY: "DE", MODEL: "4090", SHARE: "30%", CURRENCY: "IOSD"}
WRONG = {
    AMOUNT: ("1,5", "is no amount of"),
    DURATION: ("soon", "is no duration"),
    COUNTRY: ("ZZ", "country 'ZZ'"),
    MODEL: ("4900", "like it: "),
    SHARE: ("lots", "is neither a percentage such as 30%"),
    CURRENCY: ("USDT", "known are"),
}
# These would go on with a good value; a wrong one stops them.
SERVICES = {"keeper run", "mcp", "node up"}
# Read together with a task's file: tests/client/renting/test_task.py.
ELSEWHERE = {"run"}


def kind_of(command: str, name: str) -> str | None:
    given = OTHERWISE.get((command, name))
    return given or next((kind for kind, names in KINDS.items() if name in names), None)


def every() -> list[tuple[str, str, str]]:
    """Command, parameter, kind."""
    found = []
    for group in COMMANDS:
        for command, leaf in leaves(_load(group), group):
            if command in ELSEWHERE:
                continue
            kinds = [(param.name, kind_of(command, param.name)) for param in leaf.params]
            found += [(command, name, kind) for name, kind in kinds if kind in WRONG]
    return found


EVERY = every()


def test_no_parameter_that_sounds_like_one_is_left_out() -> None:
    """By its help; what these say otherwise is another thing."""
    hints = re.compile(
        r"\b(amount of|dollars|tokens to|90m|30d|IOSD, USDC|IO or IOSD|ISO 3166|device model)\b", re.IGNORECASE
    )
    known = {(command, name) for command, name, _ in EVERY} | OTHERWISE.keys()
    found = {
        (command, str(param.name))
        for group in COMMANDS
        for command, leaf in leaves(_load(group), group)
        for param in leaf.params
        if hints.search(getattr(param, "help", None) or "") and command not in ELSEWHERE
    }
    # Several changes in one argument; and operators' settings that are not read by people's words.
    assert found - known == {("network propose-model", "changes"), ("keeper run", "sol_price"), ("mcp", "confirm")}


def words_of(command: str, values: Mapping[str, str], places: dict[str, str]) -> list[str]:
    """A whole command line: these values, and whatever else is required."""
    leaf = dict(leaves(_load(command.split()[0]), command.split()[0]))[command]
    line, operands = command.split(), []
    for param in leaf.params:
        name = str(param.name)
        if name not in values and not param.required and name != "nodes":
            continue
        text = values.get(name) or GOOD.get(kind_of(command, name) or "") or places.get(name, places["any"])
        if param.param_type_name == "argument":
            operands.append(text)
        else:
            line += [param.opts[0], text]
    yes = ["--yes"] if any(param.name == "yes" for param in leaf.params) else []
    return [*line, *operands, *yes]


@pytest.fixture(scope="module")
def places(village: Village) -> dict[str, str]:
    device, address = str(village.file("typist")), str(Keypair().pubkey())
    write_keypair(Path(device), Keypair())
    numbers = {"processors": "1", "first": "0", "end": "1", "multiplier": "100", "code": "4090"}
    return {**numbers, "name": "nobody", "device": device, "any": address, "changes": "throughput=1"}


@pytest.mark.parametrize("command", sorted({command for command, _, _ in EVERY}))
def test_it_is_read_as_everywhere(
    village: Village, places: dict[str, str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(village.folder))
    kinds = {name: kind for of, name, kind in EVERY if of == command}
    if command == "node up":
        del kinds["model"]  # which the machine has to show: tests/agent/test_node_up.py
    for name, kind in kinds.items():
        wrong, why = WRONG[kind]
        code, said = typed(village, words_of(command, {name: wrong}, places), kind)
        assert (code, why in said) == (1, True), said
    if command not in SERVICES:
        code, said = typed(village, words_of(command, {name: GOOD[kind] for name, kind in kinds.items()}, places))
        assert code == 4 or "no cluster is called 'nobody'" in said, said


def typed(village: Village, words: list[str], kind: str | None = None) -> tuple[int, str]:
    """What is wrong is found before anything is asked, but for models, whose names the chain has."""
    shell = village.shell if kind == MODEL else Shell("http://127.0.0.1:1", village.file("renter"))
    done = shell.run(*words, keypair=village.file("renter"))
    return done.returncode, " ".join(done.stderr.split())
