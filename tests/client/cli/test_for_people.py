"""What people see without `--json`: units, names, local times; nothing that is empty. `--json` shows everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from client.cli.conftest import IONET, Shell
from client.cli.test_basics import NOWHERE
from client.cli.village import T4, Village
from ionet.cli import human
from ionet.cli.views import view
from ionet.generated.classes import CLASSES
from solders.pubkey import Pubkey


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (human.money(123_456_700_000_000, "IO"), "1,234,567 IO"),
        (human.money(1_500_000, "USDC"), "1.5 USDC"),
        (human.hourly(250_000), "$0.25/h"),
        (human.percent(3000), "30%"),
        (human.percent(50), "0.5%"),
        (human.count(1, "node"), "1 node"),
        (human.count(2_000, "lease"), "2,000 leases"),
        (human.span(5400), "1 h 30 min"),
        (human.span(0), "0 s"),
        (human.span(86400 * 30 + 61), "30 d 1 min"),
        (human.country(276), "DE"),
        (human.currencies(5), "IOSD, IO"),
    ],
)
def test_numbers_in_words(said: str, expected: str) -> None:
    assert said == expected


def test_a_time_is_local_and_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert human.moment(1_700_000_000, 1_700_000_000 - 180) == "2023-11-14 23:13:20 CET (in 3 min)"
        assert human.moment(1_700_000_000, 1_700_000_061) == "2023-11-14 23:13:20 CET (1 min 1 s ago)"
        assert human.moment(2**62) == f"{2**62} (unix seconds)"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_hash_no_bump_no_zero_is_shown() -> None:
    empty = {"seq": "5", "bump": 255, "paid": "0", "config_hash": "0" * 64, "head_lease": "1" * 32}
    assert view("Cluster", {**empty, "deposit": "5000000"}, token="IOSD") == {"deposit": "5 IOSD"}


def test_every_class_can_be_shown() -> None:
    """Of any class: no field is lost unless it is empty or bookkeeping, and nothing fails."""
    for name, kind in CLASSES.items():
        fields: dict[str, Any] = dict.fromkeys(getattr(kind, "__struct_fields__", ()), "7")
        assert all(view(name, fields, token="IOSD").values()), name


@pytest.fixture(scope="module")
def node(village: Village) -> str:
    terms = ["--price", "0.25", "--country", "de", "--min-duration", "3", "--max-duration", "10m"]
    options = ["--device", str(village.file("device")), "--model", "T4", "--processors", "4", *terms]
    made = str(village.event("supplier", "node", "register", *options)["node"])
    village.json("supplier", "stake", "terms", made, "50%", "--income", "20%")
    village.json("supplier", "stake", "add", made, "900.5")
    return made


def fields_of(text: str) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.strip().splitlines())


def test_a_node_fits_a_screen_and_json_has_all(village: Village, node: str) -> None:
    shown = fields_of(village.shell.run("node", "show", node).stdout)
    assert (shown["state"], shown["model"], shown["price"], shown["country"]) == ("free", "T4", "$0.25/h", "DE")
    assert (shown["bonded"], shown["required stake"]) == ("900.5 IO", "800 IO")
    assert (shown["min duration"], shown["max duration"], shown["income share"]) == ("3 s", "10 min", "20%")
    assert len(shown) < 25
    raw = village.json(None, "node", "show", node)
    assert len(raw) > 50
    assert (raw["price"], raw["country"], raw["state"]) == ("250000", 276, "free")


def test_nodes_are_filtered_sorted_and_say_their_state(village: Village, node: str) -> None:
    made = [node]
    for price, country in (("0.5", "FR"), ("0.1", "DE")):
        village.json(None, "keys", "new", str(village.file(f"device {price}")))
        options = ["--device", str(village.file(f"device {price}")), "--model", "rtx4090", "--processors", "1"]
        terms = ["--price", price, "--country", country]
        made.append(str(village.event("guest", "node", "register", *options, *terms)["node"]))
    first, dear, cheap = made

    def listed(*options: str) -> list[str]:
        return [row["address"] for row in village.json(None, "node", "list", *options)]

    assert listed() == listed("--sort", "price") == [cheap, first, dear]
    assert listed("--model", "4090") == listed("--model", "7") == [cheap, dear]
    assert listed("--max-price", "0.25") == [cheap, first]
    assert listed("--country", "DE") == listed("--country", "276") == [cheap, first]
    assert listed("--hireable") == [first]
    assert listed("--sort", "country")[-1] == dear
    assert [row["state"] for row in village.json(None, "node", "list")] == ["unstaked", "free", "unstaked"]
    village.json("supplier", "node", "pause", first)
    assert village.json(None, "node", "list", "--country", "DE")[-1]["state"] == "paused"
    village.json("supplier", "node", "resume", first)
    table = village.shell.run("node", "list").stdout
    assert "RTX 4090" in table
    assert "$0.1/h" in table
    assert "unstaked" in table


def test_a_lease_makes_its_node_busy_and_receipts_have_units(village: Village, node: str) -> None:
    village.json("renter", "iosd", "post-price", "2.5")
    minted = village.shell.run("iosd", "mint-exact", "10", keypair=village.file("renter")).stdout
    assert re.search(r"iosd minted +10 IOSD\n", minted)
    opened = village.shell.run("cluster", "open", "5", keypair=village.file("renter")).stdout
    assert re.search(r"deposit +5 IOSD\n", opened)
    cluster = next(word for word in opened.split() if len(word) > 40 and word != opened.split()[0])
    booked = village.shell.run("cluster", "add", cluster, node, "--duration", "1m", keypair=village.file("renter"))
    assert re.search(r"price +0.25 IOSD/h\n", booked.stdout)
    [lease] = village.json(None, "cluster", "show", cluster)["leases"]
    assert village.json(None, "node", "list", "--country", "DE", "--model", "t4")[0]["state"] == "busy"
    shown = fields_of(village.shell.run("lease", "show", lease).stdout)
    assert (shown["state"], shown["price"], shown["duration"]) == ("booked", "0.25 IOSD/h", "1 min")
    assert "ago)" in shown["booked at"] or "in " in shown["booked at"]
    assert "deposit" in village.shell.run("cluster", "show", cluster).stdout
    assert village.shell.run("cluster", "list").stdout.count("5 IOSD") == 1
    assert "booked" in village.shell.run("lease", "list").stdout
    village.pass_time(300)
    village.json("renter", "lease", "cancel", lease)
    village.json("renter", "lease", "close", lease)
    closed = village.shell.run("cluster", "close", cluster, "--yes", keypair=village.file("renter")).stdout
    assert re.search(r"refund +5 IOSD\n", closed)
    code, message = village.refused("renter", "lease", "show", lease)
    assert code == 1
    assert message.endswith(f"UTC; see `ionet lease receipt {lease}`\n")


def test_a_stake_says_what_it_is_worth_and_what_comes_out_when(village: Village, node: str) -> None:
    village.json("guest", "stake", "add", node, "100")
    village.json("supplier", "stake", "fund", node, "10", "--yes")
    village.json("guest", "stake", "unbond", node, "40")
    guest = village.file("guest")
    shown = fields_of(village.shell.run("stake", "show", node, keypair=guest).stdout)
    assert shown["stake"] == "60 IO"
    assert re.fullmatch(r"0\.\d+ IO: `ionet stake claim \w+`", shown["rewards"])
    assert re.fullmatch(
        r"you get 40 IO on 20\S+ \S+ \S+ \(in .*\); until then the cooldown runs, and it can still be slashed",
        shown["leaving 1"],
    )
    raw = village.json("guest", "stake", "show", node)
    assert (raw["worth"], raw["leaving"], raw["exits"][0]["io_units"]) == ("6000000000", "4000000000", "4000000000")
    claimed = village.event("guest", "stake", "claim", node)["amount"]
    assert raw["claimable"] == claimed
    rows = village.shell.run("stake", "list", "--node", node).stdout
    assert "60 IO" in rows
    assert "900.5 IO" in rows
    village.pass_time(3600)
    shown = fields_of(village.shell.run("stake", "show", node, keypair=guest).stdout)
    assert shown["leaving 1"] == "you get 40 IO now: `ionet stake withdraw`; the cooldown is over"
    assert village.event("guest", "stake", "withdraw", node)["amount"] == "4000000000"


def test_the_network_shows_no_proposal_where_none_is(village: Village) -> None:
    shown = fields_of(village.shell.run("network", "show").stdout)
    assert (shown["io genesis"], shown["interval"], shown["renter fee"]) == ("500,000,000 IO", "3 s", "0.25%")
    assert not [name for name in shown if "pending" in name or "proposed" in name]
    models = village.shell.run("network", "models").stdout
    assert re.search(r"7 +RTX 4090 +x1.25 +gpu +enterprise", models)
    assert str(T4) in models


def test_json_may_stand_before_the_command(village: Village) -> None:
    result = village.shell.run("--json", "keys", "balance", village.address("renter"))
    assert json.loads(result.stdout) == village.json(None, "keys", "balance", village.address("renter"))
    assert json.loads(village.shell.run("--json", "localnet", "status").stdout)["slot"] > 0


def test_profiles_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("IONET_URL", "IONET_KEYPAIR", "IONET_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def said(*arguments: str) -> tuple[int, str]:
        result = subprocess.run([*IONET, *arguments], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    assert '"in_use": true, "profile": "local"' in said("config", "show", "--json")[1]
    file = tmp_path / "ionet" / "config.toml"
    file.parent.mkdir()
    file.write_text('# mine\n[profiles.mine]\nurl = "http://127.0.0.1:1"\nkeypair = "/nowhere/id.json"\n')
    assert said("config", "use", "mine")[0] == 0
    assert file.read_text().startswith('profile = "mine"\n# mine\n')
    assert said("network", "show") == (4, "error: the RPC node cannot be reached: http://127.0.0.1:1 (ConnectError)\n")
    assert "/nowhere/id.json" in said("keys", "show")[1]
    assert "http://127.0.0.1:2" in said("--url", "http://127.0.0.1:2", "network", "show")[1]
    assert said("config", "use", "main") == (
        1,
        "error: invalid input: profile 'main'; known are local, devnet, mainnet, mine; did you mean mine?\n",
    )
    for broken in ("profile = 5", "[profiles.x]\nkeypair = '/k'", "profiles = 1", "not toml", "[profiles.x]\nurl = 5"):
        file.write_text(broken)
        code, text = said("config", "show")
        assert (code, str(file) in text) == (1, True), broken


def test_a_profile_says_whom_commands_ask(tmp_path: Path) -> None:
    """Where neither an option nor the environment does."""
    places = ("IONET_URL", "IONET_PROFILE", "IONET_API", "IONET_LAUNCHER")
    environment = {name: value for name, value in os.environ.items() if name not in places}
    environment["XDG_CONFIG_HOME"] = str(tmp_path)
    file = tmp_path / "ionet" / "config.toml"
    file.parent.mkdir()
    lines = ['profile = "mine"', "[profiles.mine]", 'url = "http://127.0.0.1:1"']
    lines += ['api = "http://127.0.0.1:2"', 'launcher = "ftp://hosted"', 'launcher_key = "key"']
    file.write_text("\n".join(lines))

    def said(*arguments: str, **more: str) -> str:
        command = [*IONET, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**environment, **more}, check=False).stderr

    assert "ftp://hosted is not" in said("cluster", "status", str(Pubkey.default()))
    assert "ftp://other is not" in said("cluster", "status", str(Pubkey.default()), IONET_LAUNCHER="ftp://other")
    assert "ftp://mine is not" in said("cluster", "status", str(Pubkey.default()), "--launcher", "ftp://mine")
    assert "http://127.0.0.1:2" in said("trace", "ab" * 32)
    shown = subprocess.run([*IONET, "config", "show"], capture_output=True, text=True, env=environment, check=True)
    assert all(word in shown.stdout for word in ("launcher", "ftp://hosted", "http://127.0.0.1:2"))


def test_a_new_key_goes_where_commands_look_for_it(tmp_path: Path) -> None:
    mine = Shell(NOWHERE.url, tmp_path / "id.json")
    made = mine.json("keys", "new")
    assert made["file"] == str(tmp_path / "id.json")
    assert mine.json("keys", "show")["address"] == made["address"]
    assert "never overwritten" in mine.refused("keys", "new")[1]


COMPLETED = [("ionet no", "node"), ("ionet node re", "retire"), ("ionet st", "stake")]


@pytest.mark.parametrize(("words", "offered"), COMPLETED)
def test_completion(words: str, offered: str) -> None:
    place = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1), "_IONET_COMPLETE": "complete_bash"}
    environment = {**os.environ, **place}
    code = "import sys; sys.argv = ['ionet']; from ionet.cli import main; main()"
    result = subprocess.run([*IONET[:1], "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert offered in result.stdout.split()
