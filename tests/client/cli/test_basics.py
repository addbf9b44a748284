"""Help, version, lazy imports, exit codes, keypair files."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from client.cli.conftest import IONET, Shell
from ionet.cli import COMMANDS
from ionet.cli.parsing import amount, tokens
from ionet.errors import InvalidInput

pytestmark = pytest.mark.matrix

NOWHERE = Shell("http://127.0.0.1:1", Path("/nonexistent/id.json"))
HEAVY = ("solders", "solana", "msgspec", "ionet.client", "ionet_indexer", "ionet_launcher", "ray", "asyncpg")


def test_the_version_is_the_distributions() -> None:
    for command in (["--version"], ["--version", "node"]):
        result = subprocess.run([*IONET, *command], capture_output=True, text=True, check=True)
        assert result.stdout == f"ionet {version('ionet')}\n"


def test_help_names_every_command_without_importing_them() -> None:
    code = (
        "import sys, contextlib, io\n"
        "sys.argv = ['ionet', '--help']\n"
        "from ionet.cli import main\n"
        "out = io.StringIO()\n"
        "with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "print(out.getvalue())\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, imported = result.stdout.strip().splitlines()
    assert imported == "[]"
    for name in COMMANDS:
        assert any(f" {name} " in line for line in shown), name


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"demo"}))
def test_help_of_each_command(name: str) -> None:
    result = subprocess.run([*IONET, name, "--help"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"ionet {name}" in result.stdout
    assert "completion" not in result.stdout


def test_usage_error_fails() -> None:
    for arguments in (["nodes"], ["node", "show"], ["node", "list", "--colour"], ["cluster", "open", "5", "--kind"]):
        assert NOWHERE.run(*arguments).returncode == 2


def test_user_error_fails(tmp_path: Path) -> None:
    assert NOWHERE.refused("node", "show", "abc") == (1, "error: invalid input: 'abc' is not a valid address\n")
    code, message = NOWHERE.refused("keys", "airdrop")
    assert (code, "there is no /nonexistent/id.json" in message) == (1, True)
    code, message = NOWHERE.refused("network", "pause", "close_cluster")
    assert (code, "pausable are register_node" in message) == (1, True)
    idl = tmp_path / "idl.json"
    idl.write_text("{}")
    code, message = NOWHERE.refused("--idl", str(idl), "network", "show")
    assert (code, "not an Anchor IDL" in message) == (1, True)


def test_unreachable_node_fails() -> None:
    code, message = NOWHERE.refused("network", "show")
    assert (code, "cannot be reached: http://127.0.0.1:1" in message) == (4, True)
    assert Shell("ftp://x", NOWHERE.keypair).refused("network", "show")[0] == 1


def test_a_new_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "id.json"
    made = NOWHERE.json("keys", "new", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(json.loads(path.read_text())) == 64
    assert NOWHERE.json("keys", "show", keypair=path)["address"] == made["address"]
    said = f"error: the wallet cannot be used: {path} exists already; a key is never overwritten\n"
    assert NOWHERE.refused("keys", "new", str(path)) == (1, said)


def test_doctor_without_chain(tmp_path: Path) -> None:
    result = NOWHERE.run("doctor", "--json", keypair=tmp_path / "none.json")
    assert result.returncode == 0
    states = {item["check"]: item["state"] for item in json.loads(result.stdout)}
    assert states["ionet.so"] == states["ionet.json"] == states["solders"] == "ok"
    assert states["chain"] == states["keypair"] == "warning"


def test_amounts_are_exact() -> None:
    assert amount("1.00000001", "IO") == 100_000_001
    assert amount("18446744073709.551615", "IOSD") == 2**64 - 1
    assert (tokens(100_000_001, "IO"), tokens(5_000_000, "IOSD"), tokens(0, "IO")) == ("1.00000001", "5", "0")


@pytest.mark.parametrize("text", ["-1", "x", "", "nan", "inf", "1e30", "0.0000001", "18446744073709.551616"])
def test_bad_amount_fails(text: str) -> None:
    with pytest.raises(InvalidInput):
        amount(text, "IOSD")
