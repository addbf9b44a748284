"""An agent that can make no networks for clusters refuses to start, and says of each way why it does not work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ionet.wallet import write_keypair
from ordinary_user import AS_USER, give
from solders.keypair import Keypair

# In a mount namespace of its own.
WITHOUT_TUN = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh")
ROOT = (
    "WireGuard of the kernel: ",
    "wireguard-go: ",
    "pasta and wireguard-go: it is for ordinary users",
)
USER = (
    "WireGuard of the kernel: it needs root",
    "wireguard-go: it needs root",
    "pasta and wireguard-go: ",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, into which an ordinary user cannot look."""
    made = Path(tempfile.mkdtemp(prefix="overlay-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def refused(folder: Path, prefix: tuple[str, ...], path: str) -> str:
    """What such an agent says before it ends."""
    device, base = folder / "device.json", folder / "node"
    write_keypair(device, Keypair())
    base.mkdir()
    if AS_USER[-1] in prefix:
        give(device, base)
    command = [*prefix, "/usr/bin/env", f"PATH={path}", sys.executable, "-m", "ionet", "--url", "http://127.0.0.1:9"]
    command += ["node", "run", "--device-key", str(device), "--base", str(base), "--ports", "24000-24020"]
    command += ["--trust-renters", "--isolation", "none", "--network", "wireguard", "--relay", "203.0.113.1:7443"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize(
    ("user", "reasons"), [pytest.param((), ROOT, id="root"), pytest.param(AS_USER, USER, id="ordinary user")]
)
def test_without_the_device_for_tunnels_it_says_so(
    folder: Path, user: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    # The kernel's WireGuard needs no such device.
    made = subprocess.run(["unshare", "--net", "ip", "link", "add", "t", "type", "wireguard"], check=False)
    if not user and made.returncode == 0:
        pytest.skip("this kernel has WireGuard")
    said = refused(folder, (*WITHOUT_TUN, *user), os.environ["PATH"])
    assert all(reason in said for reason in reasons), said
    assert "tun" in said


def test_without_the_programs_it_names_what_is_missing(folder: Path) -> None:
    tools = folder / "tools"
    tools.mkdir()
    said = refused(folder, (), str(tools))
    assert "is not installed" in said
