"""Docker's daemon for these tests alone, where it is installed and this is root: own socket and folders, no network."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SECS = 60
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Daemon:
    """`host` is for DOCKER_HOST. `kill` and `start` may be called in turn."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.host = folder, f"unix://{folder}/socket"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self._folder / "pid").unlink(missing_ok=True)
        program = shutil.which("dockerd", path=_PATH)
        assert program is not None
        command = [program, "--bridge=none", "--iptables=false", "--storage-driver=vfs", f"--host={self.host}"]
        command += [f"--{name}={self._folder / path}" for name, path in _FOLDERS.items()]
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(command, env={"PATH": _PATH}, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _SECS
        while self.call("ps").returncode:
            if self._child.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text().splitlines()[-1]
                self.stop()
                pytest.skip(f"docker's daemon does not start here: {said}")
            time.sleep(0.05)
        # As for those in docker's group.
        (self._folder / "socket").chmod(0o666)

    def kill(self) -> None:
        assert self._child is not None
        self._child.kill()
        self._child.wait()
        # Its own child has ended with it, and where nobody waits for that the next daemon takes it for alive.
        (self._folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["docker", "--config", "/nonexistent", "--host", self.host, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def containers(self) -> list[str]:
        return self.call("ps", "--all", "--format", "{{.Names}}").stdout.split()


_FOLDERS = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}


@contextlib.contextmanager
def docker() -> Iterator[Daemon]:
    """Skips a test where there is none."""
    if os.geteuid() != 0:
        pytest.skip("docker's daemon is started by root")
    if shutil.which("dockerd", path=_PATH) is None or shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    with tempfile.TemporaryDirectory(prefix="ionet-docker-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        daemon = Daemon(Path(name))
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()
            _unmount_all(Path(name))


def _unmount_all(folder: Path) -> None:
    """What the daemon leaves mounted."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in reversed([path for path in mounted if Path(path).is_relative_to(folder)]):
        subprocess.run(["umount", "--lazy", path], check=False)
