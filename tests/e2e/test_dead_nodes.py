"""Agents are killed while a job of theirs runs: who follows it is told, and a job that cannot go on has an end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from client.cli.conftest import IONET
from e2e.renter import Renter, rented_from
from ionet_agent.isolation import cgroups
from ionet_agent.isolation.base import OWN
from launcher.ports import free_range
from leftovers import descendants

SECS = 240
# Tasks say where they run. Which of them a dead node had, Ray runs again where one is left.
JOB = """
import os, pathlib, ray, time
ray.init(logging_level="error")

@ray.remote(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")
def where():
    time.sleep(1)
    return os.environ["IONET_LEASE"]

def nodes(wanted):
    while len(found := set(ray.get([where.remote() for _ in range(2)]))) != wanted:
        pass
    print(len(found), flush=True)

nodes(2)
while not pathlib.Path("go").exists():
    time.sleep(0.1)
nodes(1)
time.sleep(3600)
"""


@contextmanager
def supplied(renter: Renter, number: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """A machine of `ionet node up` that serves: its node, and what kills it with all that runs there."""
    folder, ports = renter.folder.parent / f"machine-{number}", free_range(40)
    words = ["node", "up", "--model", "4090", "--pretend", "--price", "0.25", "--country", "DE", "--yes", "--no-test"]
    words += ["--folder", str(folder), "--listen", "127.0.0.1:0", "--ports", f"{ports.start}-{ports.stop - 1}"]
    words += ["--ip", f"127.0.1.{number}", "--trust-renters", "--num-cpus", "1", "--object-store-mib", "80"]
    words += ["--disk-mib", "2048", "--json", "--", "--check-secs", "600", "--poll-secs", "0.25"]
    treasury = renter.shell.keypair.with_name("treasury.json")
    command = [*IONET, "--url", renter.shell.url, "--keypair", str(treasury), *words]

    def kill() -> None:
        every = [agent.pid, *descendants(agent.pid)]
        # All stand still before the first is gone, as without power: none is left to say how another ended.
        for each in (signal.SIGSTOP, signal.SIGKILL):
            for pid in every:
                with suppress(ProcessLookupError):
                    os.kill(pid, each)

    environment = {**renter.environment, "TMPDIR": str(folder.parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as agent:
        try:
            assert agent.stdout is not None
            _, ready = (json.loads(agent.stdout.readline()) for _ in range(2))
            yield ready["node"], kill
        finally:
            kill()


def end_rooms(folder: Path) -> None:
    """What killed machines leave there."""
    for own in folder.glob(f"ionet-*{OWN}"):
        room = own.with_name(own.name.removesuffix(OWN))
        subprocess.run(["umount", "--lazy", str(room)], check=False, capture_output=True)
        cgroups.remove(cgroups.find().groups(room.name.removeprefix("ionet-")))


def until(stream: IO[str] | None, seen: Callable[[str], bool]) -> str:
    """The first line that will do."""
    lines = list[str]()
    assert stream is not None
    while line := stream.readline():
        lines.append(line)
        if seen(line):
            return line
    raise AssertionError(lines)


@pytest.mark.drill
def test_who_follows_a_job_is_told_of_dead_nodes(temporary: Path) -> None:
    with ExitStack() as stack:
        stack.callback(end_rooms, temporary)
        renter = stack.enter_context(rented_from(temporary, nodes=0))
        kills = dict(stack.enter_context(supplied(renter, number)) for number in (1, 2))
        renter.until_rentable(renter.environment["IONET_API"], 2)
        (renter.folder / "job.py").write_text(JOB)
        words = ("run", "--gpu", "4090", "--nodes", "2", "--name", "two", "--yes", "--", "job.py")
        with renter.begin(*words) as run:
            late = threading.Timer(SECS, run.kill)
            late.start()
            try:
                followed(renter, run, kills)
            finally:
                late.cancel()
                run.kill()
        ended = renter.run("down", "two", "--yes")
        assert ended.returncode == 0, ended.stderr


def followed(renter: Renter, run: subprocess.Popen[str], kills: dict[str, Callable[[], None]]) -> None:
    """kills: what kills a node, by its address."""
    until(run.stdout, lambda line: line == "2\n")
    [row] = json.loads(renter.run("status", "two", "--json").stdout)
    told = json.loads(renter.run("cluster", "status", row["cluster"], "--json").stdout)
    role = {lease["role"]: lease["node"] for lease in told["leases"]}
    kills[role["worker"]]()
    line = until(run.stderr, lambda line: line.startswith("node "))
    assert line.startswith(f"node {role['worker'][:6]}: agent_unreachable "), line
    [row] = json.loads(renter.run("status", "two", "--json").stdout)
    assert row["trouble"].startswith(f"node {role['worker'][:6]}: "), row
    assert row["trouble"][:12] in renter.run("status", "two").stdout

    # The job goes on, on the node that is left.
    assert renter.run("exec", "two", "--", "touch", "go").returncode == 0
    until(run.stdout, lambda line: line == "1\n")
    kills[role["head"]]()
    assert until(run.stderr, lambda line: line.startswith(f"node {role['head'][:6]} (head): "))
    line = until(run.stderr, lambda line: line.startswith("error: "))
    assert line.startswith("error: the node that the job ran on is gone, and the job with it: "), line
    assert run.wait(60) == 6
