"""The parts of `ionet node up`: what a machine can be, what is checked of it, and the unit that runs it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from agent.gpu_hosts import Host
from agent.service_manager import SYSTEMD
from agent.test_report import H100, RTX, UUIDS, row
from ionet.api.network import known_models
from ionet.errors import ConfigError, InvalidInput
from ionet.listening import listen
from ionet_agent.config import AgentConfig
from ionet_agent.up import checks, unit
from ionet_agent.up.checks import Check, NotReady, State
from ionet_agent.up.machine import Kind, Machine, kind_of, look
from ionet_agent.up.steps import device_of

NAMES = {model.code: model.name for model in known_models()}


def machine(tmp_path: Path, *cards: str) -> Machine:
    """With cards of these names."""
    host = Host(tmp_path / "host")
    rows = "".join(row(number, name, UUIDS[number], 24_564) for number, name in enumerate(cards))
    listed = "".join(f"GPU {number}: {name} (UUID: {UUIDS[number]})\n" for number, name in enumerate(cards))
    return look(tmp_path, host.smi(rows, listed).root, host.path)


def test_a_machine_is_as_many_processors_as_it_has_cards(tmp_path: Path) -> None:
    found = machine(tmp_path, RTX, RTX)
    assert kind_of(found, NAMES, None, None) == Kind(7, "RTX 4090", 2)
    assert kind_of(found, NAMES, "4090", 1) == Kind(7, "RTX 4090", 1)
    assert found.shown["gpus"] == f"2 x {RTX}, 23 GiB"


@pytest.mark.parametrize(
    ("cards", "wanted", "processors", "why"),
    [
        ([], None, None, "no model of the chain is here"),
        ([], "4090", None, "this machine shows no RTX 4090, not 1"),
        ([RTX], "H100", None, "this machine shows no H100, not 1"),
        ([RTX], None, 2, "this machine shows 1 RTX 4090, not 2"),
        ([RTX, H100], None, None, "a node is of one model: say --model"),
        (["NVIDIA GeForce RTX 4090 Laptop GPU"], None, None, "no model of the chain is here"),
        (["NVIDIA GeForce RTX 4090 Laptop GPU"], "4090", None, "this machine shows no RTX 4090"),
    ],
)
def test_what_a_machine_does_not_show_is_refused(
    cards: list[str], wanted: str | None, processors: int | None, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=why):
        kind_of(machine(tmp_path, *cards), NAMES, wanted, processors)


def test_cards_that_do_not_answer_are_refused(tmp_path: Path) -> None:
    host = Host(tmp_path / "host").smi(code=9)
    with pytest.raises(ConfigError, match="the devices do not answer"):
        kind_of(look(tmp_path, host.root, host.path), NAMES, "4090", 1)


def test_a_part_of_a_split_card_is_no_model(tmp_path: Path) -> None:
    host = Host(tmp_path / "host")
    listed = f"GPU 0: {H100} (UUID: {UUIDS[0]})\n  MIG 3g.40gb     Device  0: (UUID: MIG-{UUIDS[1][4:]})\n"
    host.smi(row(0, H100, UUIDS[0], 81_559), listed)
    with pytest.raises(ConfigError, match="MIG splits"):
        kind_of(look(tmp_path, host.root, host.path), NAMES, None, None)


def test_an_unknown_model_names_those_like_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="RTX 4080"):
        kind_of(machine(tmp_path, RTX), NAMES, "4085", None)


def test_a_device_keeps_its_key(tmp_path: Path) -> None:
    file = tmp_path / "node/device.json"
    made = device_of(file)
    assert device_of(file) == made
    assert [path.name for path in file.parent.iterdir()] == ["device.json"]
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="cannot write"):
        device_of(file / "below")


def test_a_taken_port_fails_and_says_which(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0, "--listen") as api, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = AgentConfig(
            urls=(),
            device_key=tmp_path / "key",
            base=tmp_path,
            ip="127.0.1.1",
            ports=range(port, port + 1),
            port=api.getsockname()[1],
        )
        found = checks.ports(config)
    assert [check.state for check in found] == [State.FAILED, State.FAILED]
    assert f"{port} is in use" in found[1].detail
    with pytest.raises(NotReady, match=f"API's port: .* is in use; choose another with --listen; Ray's ports: {port}"):
        checks.require(found)


def test_a_warning_stops_nothing() -> None:
    checks.require([Check("clock", State.WARNING, "20 s behind the chain's", "NTP")])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
        ("a folder", '"a folder"'),
        ("100%h", '"100%%h"'),
        ("$HOME", '"$$HOME"'),
        ('say "so\\"', '"say \\"so\\\\\\""'),
    ],
)
def test_a_word_of_a_unit_is_itself(word: str, said: str) -> None:
    assert unit.quoted(word) == said


@pytest.mark.parametrize("word", ["a\nExecStop=b", "a\x00", "\x1b[0m"])
def test_a_word_that_ends_its_line_is_refused(word: str) -> None:
    with pytest.raises(ConfigError):
        unit.quoted(word)


@pytest.mark.parametrize("scope", unit.Scope)
def test_systemd_reads_the_unit(scope: unit.Scope, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    path = tmp_path / "ionet-node-test.service"
    unit.write(path, unit.text(scope, [shutil.which("true") or "", "a folder", "100%", "$HOME"], "NODE"))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [analyze, "verify", "--man=no", f"--{scope}", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert "ionet-node-test" not in done.stderr
    broken = tmp_path / "ionet-node-broken.service"
    unit.write(broken, path.read_text().replace("ExecStart=", "ExecStrat="))
    command = [analyze, "verify", "--man=no", f"--{scope}", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert "ionet-node-broken" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not SYSTEMD.exists(), reason="takes root and systemd")
def test_a_systemd_runs_the_unit(tmp_path: Path) -> None:
    """A real one, of a user, in namespaces: what was killed is started again, and what ran beside it goes on."""
    inside = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable]
    script = Path(__file__).with_name("service_manager.py")
    done = subprocess.run([*inside, str(script), str(tmp_path)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "words": str(["100%", "$HOME", 'a "word"']),
        "enabled": "enabled",
        "restarted": True,
        "ray_after_kill": True,
        "active": "active",
        "one_agent": True,
        "ray_after_restart": True,
        "stopped": True,
        "ray_after_stop": True,
    }
