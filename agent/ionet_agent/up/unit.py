"""A systemd unit for the agent of a node, of the system or of one user."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from ionet.errors import ConfigError

_SECS = 60.0
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


class Scope(StrEnum):
    """Whose service manager runs it."""

    SYSTEM = "system"
    USER = "user"


def file_of(scope: Scope, name: str) -> Path:
    """Where the unit of that name belongs. Raises ConfigError for who may not write there."""
    if scope is Scope.SYSTEM:
        if os.geteuid() != 0:
            raise ConfigError("a unit of the system is root's to write: run this as root, or say --service user")
        return Path("/etc/systemd/system", name)
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd/user" / name


def text(scope: Scope, command: Sequence[str], node: str) -> str:
    """The unit. It starts again what ended, and leaves Ray to the next agent where one was killed."""
    target = "multi-user.target" if scope is Scope.SYSTEM else "default.target"
    return f"""[Unit]
Description=ionet node {node}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={" ".join(map(quoted, command))}
Restart=always
RestartSec=5
KillMode=process
TimeoutStopSec=90
Delegate=yes
LimitNOFILE=65536

[Install]
WantedBy={target}
"""


def quoted(word: str) -> str:
    """A word as systemd reads it back: no variable, no specifier, no end of the word. Raises ConfigError."""
    if any(not letter.isprintable() for letter in word):
        raise ConfigError(f"{word!r} cannot be in a unit")
    safe = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return safe
    inner = safe.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def write(path: Path, content: str) -> None:
    """In one step, so that systemd never reads half of it. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(content)
        new.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def start(scope: Scope, name: str) -> None:
    """Start it now and whenever the machine or its user does. Raises ConfigError, which says how to do so by hand."""
    words = ["systemctl", *(["--user"] if scope is Scope.USER else [])]
    steps = ([*words, "daemon-reload"], [*words, "enable", name], [*words, "restart", name])
    by_hand = " && ".join(" ".join(step) for step in steps)
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=_SECS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"the unit is written, but not started ({error}): {by_hand}") from None
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[:200]
            raise ConfigError(f"the unit is written, but not started ({said}): {by_hand}")
