"""What a renter's code puts in the place of a file that the agent reads stops nothing and shows nothing."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from agent.places import place
from ionet.agent_api import Phase, Role, Spec
from ionet_agent import processes, spool
from ionet_agent.files import append_foreign, create_foreign, read_foreign, remove_foreign, trim_foreign
from ionet_agent.providers import beside, local
from ionet_agent.providers.beside import Record
from ionet_agent.providers.local import LocalProvider
from ionet_agent.providers.ray_node import STARTED

SECRET = b"the owner's secret\n"
HUGE = 1_500_000_000


def put_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The member's room is there."""
    for module in (beside, local):
        monkeypatch.setattr(module, "folder_of", lambda _tag: folder)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.with_name("secret").write_bytes(SECRET)
    path.symlink_to(path.with_name("secret"))


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def socket_file(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE)


TRAPS = (pipe, link, link_to_a_device, folder, socket_file, sparse)


def provider_in(folder: Path) -> tuple[LocalProvider, Spec]:
    ports = range(24_000, 24_020)
    provider = LocalProvider(
        folder / "n", node="n", ip="127.0.9.1", ports=ports, spool=folder / "s", place=place(folder)
    )
    return provider, Spec("lease", "cluster", Role.HEAD, provider.address, 1, "token", "ca", "certificate", "key")


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_in_place_of_the_results_blocks_nothing_and_holds_nothing(
    trap: Callable[[Path], None], tmp_path: Path
) -> None:
    trap(tmp_path / "spool")
    assert spool.read(tmp_path / "spool", 0, 10)[0] == []


@pytest.mark.parametrize("trap", TRAPS)
async def test_a_trap_in_place_of_rays_log_costs_neither_time_nor_memory(
    trap: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read at each look, for a process that runs and for one that has ended."""
    put_in(tmp_path, monkeypatch)
    provider = LocalProvider(
        tmp_path / "n",
        node="n",
        ip="127.0.9.1",
        ports=range(24_000, 24_020),
        spool=tmp_path / "s",
        place=place(tmp_path),
    )
    spec = Spec("lease", "cluster", Role.HEAD, provider.address, 1, "token", "ca", "certificate", "key")
    ticks = processes.start_ticks(os.getpid())
    trap(tmp_path / "ray.log")
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for pid, phase in ((os.getpid(), Phase.STARTING), (None, Phase.FAILED)):
        record = Record(spec, "tag", 0.0, pid, ticks if pid else None)
        (tmp_path / "n" / "ray.json").write_bytes(msgspec.json.encode(record))
        status = await provider.status()
        assert status.phase is phase
        assert SECRET.decode().strip() not in (status.reason or "")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    assert time.process_time() - began < 1


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "file").write_bytes(SECRET)
    (tmp_path / "lease").symlink_to(tmp_path / "owner")
    assert read_foreign(tmp_path / "lease" / "file", 0, 100) == b""
    with pytest.raises(OSError, match="lease"):
        create_foreign(tmp_path / "lease" / "driver.py", b"x")
    remove_foreign(tmp_path / "lease" / "file")
    assert (tmp_path / "owner" / "file").exists()


def test_a_log_that_has_grown_too_large_is_cut_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "ray.log"
    with append_foreign(path) as writer:
        os.write(writer, b"first\n" + bytes(1000))
        trim_foreign(path, 2000, 6)
        assert path.stat().st_size == 1006
        trim_foreign(path, 1000, 6)
        os.write(writer, b"last")
    assert path.read_bytes() == b"first\nlast"
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    trim_foreign(tmp_path / "link", 1, 0)
    assert (tmp_path / "secret").read_bytes() == SECRET


def test_what_is_there_already_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "driver.py").symlink_to(tmp_path / "secret")
    with pytest.raises(FileExistsError):
        create_foreign(tmp_path / "driver.py", b"x")
    assert (tmp_path / "secret").read_bytes() == SECRET


async def test_ray_is_known_to_be_up_however_long_its_log_has_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(tmp_path, monkeypatch)
    provider = LocalProvider(
        tmp_path / "n",
        node="n",
        ip="127.0.9.1",
        ports=range(24_000, 24_020),
        spool=tmp_path / "s",
        place=place(tmp_path),
    )
    spec = Spec("lease", "cluster", Role.HEAD, provider.address, 1, "token", "ca", "certificate", "key")
    (tmp_path / "ray.log").write_bytes(b"first\n" + STARTED + b"\n" + b"line\n" * 100_000 + b"why it ended\n")
    record = Record(spec, "tag", 0.0, os.getpid(), processes.start_ticks(os.getpid()))
    (tmp_path / "n" / "ray.json").write_bytes(msgspec.json.encode(record))
    assert (await provider.status()).phase is Phase.UP
    record.pid = None
    (tmp_path / "n" / "ray.json").write_bytes(msgspec.json.encode(record))
    assert (await provider.status()).reason == "why it ended"


async def test_a_new_agent_takes_over_a_member_whose_folder_its_renter_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its results are not taken."""
    (tmp_path / "owner").mkdir()
    (tmp_path / "lease").symlink_to(tmp_path / "owner")
    put_in(tmp_path / "lease", monkeypatch)
    provider, spec = provider_in(tmp_path)
    record = Record(spec, "no-such-tag", 0.0, os.getpid(), processes.start_ticks(os.getpid()))
    (tmp_path / "n" / "ray.json").write_bytes(msgspec.json.encode(record))
    assert (await provider.adopt()).phase is Phase.STARTING
    assert os.listdir(tmp_path / "owner") == []
