"""Completion as a shell uses it: the installed script is sourced, and a line is completed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.matrix

BIN = Path(sys.executable).parent


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{BIN}{os.pathsep}{os.defpath}", "XDG_CONFIG_HOME": str(home / "config")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which `ionet --install-completion bash` was run."""
    made = tmp_path_factory.mktemp("home")
    (made / "config" / "ionet").mkdir(parents=True)
    (made / "config" / "ionet" / "config.toml").write_text('[profiles.mine]\nurl = "http://127.0.0.1:1"\n')
    # It asks which shell its parent is.
    command = ["bash", "--noprofile", "--norc", "-c", "ionet --install-completion; exit $?"]
    done = subprocess.run(command, env=environment(made), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return made


def completed(home: Path, line: str) -> list[str]:
    """What bash offers for the last word of a line, which may be empty."""
    words = line.split(" ")
    array = " ".join(f"'{word}'" for word in words)
    script = f"""
        . "$HOME/.bashrc"
        complete -p ionet > /dev/null || exit 9
        COMP_WORDS=({array}) COMP_CWORD={len(words) - 1}
        _ionet_completion ionet
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    command = ["bash", "--noprofile", "--norc", "-c", script]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ionet no", ["node"]),
        ("ionet mc", ["mcp"]),
        ("ionet node re", ["register", "required-stake", "release-payout", "resume", "return", "retire"]),
        ("ionet lease rec", ["receipt"]),
        ("ionet export ", ["skypilot", "dstack"]),
        ("ionet node list --sort p", ["price"]),
        ("ionet node list --hi", ["--hireable"]),
        ("ionet --profile m", ["mainnet", "mine"]),
        ("ionet config use d", ["devnet"]),
        ("ionet nothing-like-it", []),
    ],
)
def test_bash_completes(home: Path, line: str, offered: list[str]) -> None:
    found = completed(home, line)
    assert set(offered) <= set(found)
    assert bool(found) == bool(offered)
    last = line.rpartition(" ")[2]
    assert all(word.startswith(last) for word in found)


@pytest.mark.parametrize(("shell", "begins"), [("bash", "complete "), ("zsh", "#compdef ionet"), ("fish", "complete ")])
def test_each_shell_has_its_script(home: Path, shell: str, begins: str) -> None:
    asked = environment(home) | {"_IONET_COMPLETE": f"source_{shell}"}
    done = subprocess.run([str(BIN / "ionet")], env=asked, capture_output=True, text=True, check=True, timeout=60)
    assert any(line.startswith(begins) for line in done.stdout.splitlines())
    assert f"complete_{shell}" in done.stdout
    if (program := shutil.which(shell)) is not None:
        checked = subprocess.run([program, "-n"], input=done.stdout, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_answered(home: Path, shell: str) -> None:
    """As their scripts ask: zsh gives words and the place of the last one, fish the line."""
    asked = {"_TYPER_COMPLETE_ARGS": "ionet node ret", "_IONET_COMPLETE": f"complete_{shell}"}
    if shell == "fish":
        asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    done = subprocess.run(
        [str(BIN / "ionet")], env=environment(home) | asked, capture_output=True, text=True, check=False, timeout=60
    )
    assert "retire" in done.stdout
    assert "return" in done.stdout
    assert "register" not in done.stdout
