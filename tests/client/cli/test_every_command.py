"""Every command that reads, on a chain where every list has something: JSON that is whole, and text for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client.cli.full_village import populated
from client.cli.test_changes import READS, leaves
from client.cli.village import Village
from ionet.cli import COMMANDS, _load

pytestmark = pytest.mark.matrix

# What each is typed with: words in braces are addresses of `populated`; who: whose keypair it is.
TYPED = {
    "case list": "",
    "case show": "{case}",
    "cluster list": "",
    "cluster show": "{cluster}",
    "config show": "",
    "doctor": "",
    "iosd price": "",
    "iosd quote": "1.5",
    "iosd quote-redeem": "1.5",
    "iosd show": "",
    "keeper due": "--within 90m",
    "keys balance": "",
    "keys new": "{new}",
    "keys show": "",
    "lease list": "",
    "lease proofs": "{lease}",
    "lease receipt": "{lease}",
    "lease show": "{lease}",
    "localnet status": "",
    "network models": "",
    "network pending": "",
    "network show": "",
    "node list": "--model 4090 --country DE --max-price 1.5",
    "node required-stake": "4090 1",
    "node show": "{node}",
    "node status": "{node} --api {nowhere}",
    "stake list": "",
    "stake nodes": "--api {nowhere}",
    "stake show": "{node}",
    "status": "",
    "table list": "",
}
# Each has a test of its own with an indexer, a launcher, an agent or a database beside the chain; the last go on.
ELSEWHERE = {
    *("logs", "cost", "receipt", "trace", "config use", "node earnings", "export skypilot", "export dstack"),
    *("cluster status", "cluster connect", "cluster run", "indexer migrate", "indexer rebuild", "indexer backfill"),
    *("indexer verify", "indexer check", "indexer status", "launcher status", "node runtime", "agent runtime"),
    *("localnet run", "indexer run", "indexer api", "launcher api", "relay run", "web run", "tunnel"),
}
# What no JSON can say: a job's output, and processes that `run`, `indexer run` and `launcher run` start for themselves.
NO_JSON = {"run", "logs", "exec", "ssh", "idle", "indexer api", "launcher api"}
WHO = {"stake show": "guest", "keys balance": "renter", "table list": "renter"}
# Unix seconds, base units and nobody's address are for programs.
RAW = re.compile(r"\b(1[6-9]\d{8}|\d{9,})\b|\b1{32}\b|\b\w+_(secs|bps|units)\b|unix seconds")
JSON_ONLY_SIGNS = ("{", "}", "None", "True", "False", "Pubkey")


@pytest.fixture(scope="module")
def full(village: Village) -> dict[str, str]:
    places = populated(village)
    return {**places, "nowhere": "http://127.0.0.1:9", "new": str(village.folder / "made.json")}


def test_every_reading_command_is_here() -> None:
    assert not TYPED.keys() & ELSEWHERE
    assert TYPED.keys() | ELSEWHERE == READS


def test_every_command_takes_json_but_those_that_print_a_jobs_output() -> None:
    every = {name: command for group in COMMANDS for name, command in leaves(_load(group), group)}
    without = {name for name, command in every.items() if "as_json" not in {param.name for param in command.params}}
    assert without == NO_JSON


def typed(village: Village, full: dict[str, str], name: str, *before: str) -> tuple[int, str, str]:
    words = [*before, *name.split(), *[word.format_map(full) for word in TYPED[name].split()]]
    who = WHO.get(name)
    Path(full["new"]).unlink(missing_ok=True)
    return village.shell.run(*words, keypair=village.file(who) if who else None)


@pytest.mark.parametrize("name", sorted(TYPED))
def test_it_prints_one_json_value_and_text_for_people(
    village: Village, full: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(village.folder))
    code, output, errors = typed(village, full, name, "--json")
    assert (code, errors) == (0, ""), errors
    value = json.loads(output)
    assert isinstance(value, dict | list)
    for number in numbers(value):
        assert abs(number) < 2**53, "a program's JSON reader would round it"
    code, said, errors = typed(village, full, name)
    assert (code, errors) == (0, ""), errors
    assert said.strip()
    addresses = re.sub(r"\b[1-9A-HJ-NP-Za-km-z]{32,90}\b|\b[0-9a-f]{64}\b|http\S+|/\S+", "", said)
    assert not RAW.search(addresses), RAW.search(addresses)
    assert not [sign for sign in JSON_ONLY_SIGNS if sign in addresses], said
    assert "…" not in re.sub(r"sha256 [0-9a-f]{16}…", "", said), "nothing is cut off where no terminal is"


def numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int):
        yield value


def test_json_has_every_field_of_an_account(village: Village, full: dict[str, str]) -> None:
    """Also what people are not shown."""
    from ionet.generated.accounts import Case, Cluster, DeviceModel, Iosd, Lease, Network, Node, StakePosition

    shown = {
        Case: ("case show", None),
        Cluster: ("cluster show", None),
        DeviceModel: ("network models", 0),
        Iosd: ("iosd show", None),
        Lease: ("lease show", None),
        Network: ("network show", None),
        Node: ("node show", None),
        StakePosition: ("stake show", None),
    }
    for kind, (name, at) in shown.items():
        value = json.loads(typed(village, full, name, "--json")[1])
        fields = value if at is None else value[at]
        assert set(kind.__struct_fields__) <= fields.keys(), name
