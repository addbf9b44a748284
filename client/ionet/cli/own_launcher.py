"""The launcher that a renter's own machine runs: a process beside the commands, started by whichever needs it."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ionet.cli.printing import waiting
from ionet.cli.profiles import file_for
from ionet.cli.session import settings
from ionet.errors import ConfigError

if TYPE_CHECKING:
    from ionet.renting.names import Named

_START_SECS, _LOOK_SECS = 120.0, 0.1


def launcher_of(ctx: typer.Context, named: Named) -> str:
    """URL of the launcher that runs a cluster; this machine's own is started where it does not run."""
    return url_of(ctx, named.launcher, named.api)


def url_of(ctx: typer.Context, launcher: str, api: str) -> str:
    """The same for a launcher as an option names it."""
    from ionet.renting.names import OWN

    return running(ctx, api) if launcher == OWN else launcher


def running(ctx: typer.Context, api: str) -> str:
    """URL of this machine's own launcher for the chain and the wallet in use. Raises ConfigError.

    api: an indexer's, which it asks where agents are, where it has to be started.
    """
    if not any(point.name == "launcher" for point in entry_points(group="ionet.cli")):
        raise ConfigError("a launcher of your own comes with ionet[launcher]")
    folder = default_folder(settings(ctx).url, settings(ctx).keypair)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"cannot use {folder}: {error.strerror}") from None
    child, deadline = None, time.monotonic() + _START_SECS
    with waiting("looking for your launcher"):
        while time.monotonic() < deadline:
            held, url = _look(folder)
            if held and url:
                return url
            if not held and child is None:
                child = _start(ctx, folder, api)
            elif not held and child is not None and child.poll() is not None:
                break
            time.sleep(_LOOK_SECS)
    raise ConfigError(f"your launcher did not start; see {folder / 'log'}")


def default_folder(url: str, keypair: str) -> Path:
    return file_for("launcher", url, keypair)


def _start(ctx: typer.Context, folder: Path, api: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ionet", "--url", settings(ctx).url, "launcher", "own"]
    command += ["--folder", str(folder.absolute()), "--api", api, "--json"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )


def _look(folder: Path) -> tuple[bool, str]:
    """Whether a launcher has the folder, since a killed one holds nothing; and its URL, empty until it serves."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return True, lock.read()
    return False, ""
