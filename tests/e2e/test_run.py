"""`ionet run` as a renter uses it, on a network of `ionet up` with one supplier: found, paid, run, fetched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.renter import Renter, rented_from
from ionet.client import Client
from ionet.node_search import Found, Removed
from leftovers import processes_of

JOB = """
import os, pathlib, ray, helper
ray.init(logging_level="error")

@ray.remote(num_gpus=1)
def square(number):
    import helper
    return helper.square(number)

print(os.environ["WHO"], ray.get([square.remote(number) for number in range(3)]), flush=True)
pathlib.Path("out").mkdir()
pathlib.Path("out/answer.txt").write_text("42")
"""
TASK = """
name: squares
resources: {accelerators: 4090:1, country: DE}
workdir: WORKDIR
envs: {WHO: me}
results: ["out/**"]
run: python job.py
"""


async def searched(renter: Renter, country: str, max_price: str | None = None) -> Found:
    """The same from Python."""
    async with Client(renter.shell.url) as client:
        api = renter.environment["IONET_API"]
        return await client.nodes.search("4090", country=country, max_price=max_price, api=api)


@pytest.fixture
def renter(temporary: Path) -> Iterator[Renter]:
    with rented_from(temporary) as made:
        yield made


def test_a_job_is_run_paid_and_ended_by_one_command(renter: Renter) -> None:
    work = renter.folder / "job"
    work.mkdir()
    (work / "job.py").write_text(JOB)
    (work / "helper.py").write_text("def square(number): return number * number\n")
    (renter.folder / "task.yaml").write_text(TASK.replace("WORKDIR", str(work)))
    before = renter.balance()

    # Nobody is asked for what cannot be had, and nothing is paid.
    none = renter.run("run", "task.yaml", "--country", "FR", "--yes")
    assert (none.returncode, "1 are elsewhere (there are 1 in DE)" in none.stderr) == (6, True), none.stderr
    elsewhere = asyncio.run(searched(renter, country="FR"))
    assert elsewhere == ([], [Removed("are elsewhere", 1, "there are 1 in DE")], 1)
    assert len(asyncio.run(searched(renter, country="DE", max_price="0.25")).candidates) == 1
    asked = renter.run("run", "task.yaml", said="n\n")
    assert (asked.returncode, "0.250625 IOSD are locked" in asked.stderr) == (1, True), asked.stderr
    assert re.search(r"launcher \w{6}: no fee, 0\.000\d+ SOL for its transactions", asked.stderr), asked.stderr
    assert (renter.balance(), renter.run("status", "--json").stdout) == (before, "[]\n")

    # Killed while it waits: what it opened is found again by its name.
    with renter.begin("run", "task.yaml", "--yes") as killed:
        assert killed.stderr is not None
        said: list[str] = []
        while "joining" not in (line := killed.stderr.readline()):
            said.append(line)
            assert line, said
        killed.kill()
    locked = before - renter.balance()
    assert locked == 250_625
    again = renter.run("run", "task.yaml")
    assert (again.returncode, again.stdout) == (0, "me [0, 1, 4]\n\n"), again.stderr
    assert (renter.folder / "ionet-results/squares/out/answer.txt").read_text() == "42"
    [row] = json.loads(renter.run("status", "squares", "--json").stdout)
    assert (row["phase"], row["nodes"]) == ("running", 1)

    # The exit code is the job's, and a warm cluster is used again.
    assert renter.run("run", "--name", "squares", "--", "sh", "-c", "exit 3").returncode == 3
    assert renter.run("exec", "squares", "--", "echo", "hello").stdout == "hello\n"

    # A job goes on without who began it, whether told to or interrupted, and is found again.
    waits = ("sh", "-c", "echo here; while [ ! -e go ]; do sleep 0.1; done; echo went > end; cat end; exit 5")
    detached = renter.run("run", "--name", "squares", "--detach", "--results", "end", "--", *waits)
    assert (detached.returncode, detached.stdout) == (0, ""), detached.stderr
    assert renter.run("logs", "squares").returncode == 0
    assert renter.run("exec", "squares", "--", "touch", "go").returncode == 0
    followed = renter.run("logs", "-f", "squares")
    assert (followed.returncode, followed.stdout) == (5, "here\nwent\n\n"), followed.stderr
    assert (renter.folder / "ionet-results/squares/end").read_text() == "went\n"
    with renter.begin("run", "--name", "squares", "--", *waits) as interrupted:
        assert interrupted.stdout is not None
        assert interrupted.stdout.readline() == "here\n"
        interrupted.send_signal(signal.SIGINT)
        _, told = interrupted.communicate("n\n", timeout=120)
    assert (interrupted.returncode, "the job goes on by itself" in told) == (130, True), told
    assert renter.run("exec", "squares", "--", "touch", "go").returncode == 0
    assert renter.run("logs", "-f", "squares").stdout == "here\nwent\n"

    ended = renter.run("down", "squares", "--yes", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["name"], told["closed"], told["currency"], told["deposit"]) == ("squares", True, "IOSD", "250625")
    assert int(told["paid"]) + int(told["fees"]) + int(told["refunded"]) == 250_625
    assert "squares is closed: 0.250625 IOSD budget" in ended.stderr
    spent = before - renter.balance()
    assert 0 < spent < locked
    assert renter.run("status", "--json").stdout == "[]\n"

    # The same from Python, whose block ends it.
    started_with = renter.balance()
    program = f"""
import ionet
options = dict(url={renter.shell.url!r}, keypair={str(renter.shell.keypair)!r})
options |= dict(api={renter.environment["IONET_API"]!r}, launcher={renter.environment["IONET_LAUNCHER"]!r})
with ionet.cluster_sync("4090", **options) as cluster:
    done = cluster.run("printf $WHO > answer; echo said", envs={{"WHO": "us"}}, results=["answer"])
    print(done.exit_code, done.output.strip(), done.files[0].read_text())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=renter.folder, env=renter.environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "0 said us\n"), done.stderr
    assert 0 < started_with - renter.balance() < locked

    # What is over leaves no name, no lock and no process: the same again, in one command from start to end, and without
    # anybody's launcher: this machine runs the cluster, from the chain alone. The script goes along by itself.
    (renter.folder / "alone.py").write_text("print('once')")
    renter.environment["IONET_LAUNCHER"] = "http://127.0.0.1:1"
    alone = ("run", "--gpu", "4090", "--name", "squares", "--yes", "--own-launcher", "--", "alone.py")
    with renter.begin(*alone) as killed:
        assert killed.stderr is not None
        said = []
        while "joining" not in (line := killed.stderr.readline()):
            said.append(line)
            assert line, said
        killed.kill()
    [own] = own_launchers(renter)
    os.kill(own, signal.SIGKILL)
    whole = renter.run(*alone)
    assert (whole.returncode, whole.stdout) == (0, "once\n"), whole.stderr
    assert "draining" not in whole.stderr, "the next one takes over what it finds"
    assert own_launchers(renter) != [own]
    [row] = json.loads(renter.run("status", "--json").stdout)
    assert (row["name"], row["phase"], row["nodes"]) == ("squares", "running", 1), "it was there before"
    ended = renter.run("down", "squares", "--yes")
    assert (ended.returncode, "squares is closed" in ended.stderr) == (0, True), ended.stderr
    assert renter.run("status", "--json").stdout == "[]\n"
    while own_launchers(renter):  # its cluster is over
        time.sleep(0.2)


def own_launchers(renter: Renter) -> list[int]:
    running = processes_of(renter.folder.parent)
    return [pid for pid, command in running.items() if " launcher own " in command]
