"""The main job as a user starts it: `ionet demo`, to its end, interrupted, and with a part that dies.

With IONET_TEST_RPC_URL and IONET_TEST_AUTHORITY the whole demonstration runs on that chain, which must be fresh.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx2
import pytest
from e2e.commands import ionet
from leftovers import left_after, processes_of

REGISTERED = "three suppliers register a node each"
RAY_UP = "Ray: head and two workers up"
# What ends after its parent did: Ray's processes when their node is told to.
SOON = 30.0


def given_chain() -> list[str]:
    url = os.environ.get("IONET_TEST_RPC_URL")
    return ["--chain", url, "--authority", os.environ["IONET_TEST_AUTHORITY"]] if url else []


def nothing_left(temporary: Path) -> None:
    assert left_after(temporary, SOON) == {}
    assert list(temporary.iterdir()) == []


def only_the_logs_left(temporary: Path, errors: list[str]) -> None:
    """A run that failed keeps its folder, and says where; no process of it is there."""
    assert left_after(temporary, SOON) == {}
    [folder] = temporary.iterdir()
    assert f"logs: {folder / 'logs'}\n" in errors


def test_the_demonstration_adds_up(temporary: Path) -> None:
    with ionet(temporary, "demo", *given_chain(), "--json") as run:
        run.until(REGISTERED, 120)
        [page] = [line.rpartition("watch it: ")[2].strip() for line in run.errors if "watch it: " in line]
        assert [line for line in run.errors if "✓" in line or page in line][1].endswith(f"{page}\n"), run.errors
        run.until(RAY_UP, 240)
        with httpx2.Client(base_url=page, timeout=60) as reader:
            for path, shows in (("/", "live"), ("/leases", "/leases/"), ("/clusters", "/clusters/")):
                assert shows in reader.get(path).text, path
        assert any("raylet" in command for command in processes_of(temporary).values())
        code, output, problems = run.finish(240)
        print(f"demo: {run.seconds:.0f} s")
    assert (code, problems) == (0, []), run.errors
    told = json.loads(output)
    held = {name: {unit: int(amount) for unit, amount in each.items()} for name, each in told["holdings"].items()}
    io, iosd = (sum(each[unit] for each in held.values()) for unit in ("io", "iosd"))
    assert io + int(told["io_burned"]) == int(told["genesis"]) + int(told["io_redeemed"])
    assert iosd + int(told["iosd_burned"]) + int(told["iosd_redeemed"]) == int(told["iosd_minted"])
    suppliers = [held[f"supplier {number}"] for number in (1, 2, 3)]
    silent, steady, redeemed = sorted(suppliers, key=lambda each: each["io"])  # any may be the head
    assert steady["iosd"] > silent["iosd"] > 0
    assert steady["io"] - silent["io"] >= int(told["slashed"]) > 0
    assert redeemed["io"] - steady["io"] == int(told["io_redeemed"]) > 0
    assert abs(redeemed["iosd"] - int(told["iosd_redeemed"])) <= 1, "half of what they earned"
    assert int(told["bond"]) > 0
    assert all(each["io"] > 0 for name, each in held.items() if name != "network")
    assert len(bytes.fromhex(told["traced"])) == 32
    nothing_left(temporary)


def test_demo_interrupted_at_its_start_fails(temporary: Path) -> None:
    with ionet(temporary, "demo", "--json") as run:
        run.until("local chain with both programs", 60)
        run.process.send_signal(signal.SIGINT)
        assert run.finish(60) == (130, "", [])
    only_the_logs_left(temporary, run.errors)


@pytest.mark.drill
def test_demo_interrupted_while_ray_is_up_and_a_node_is_frozen_fails(temporary: Path) -> None:
    with ionet(temporary, "demo", "--json") as run:
        run.until("a blocked matrix product", 240)
        run.process.send_signal(signal.SIGINT)
        assert run.finish(90) == (130, "", [])
    only_the_logs_left(temporary, run.errors)


@pytest.mark.drill
def test_demo_whose_part_dies_fails(temporary: Path) -> None:
    with ionet(temporary, "demo", "--json") as run:
        run.until("three suppliers register", 90)
        [indexer] = [pid for pid, command in processes_of(temporary).items() if " indexer run " in command]
        os.kill(indexer, signal.SIGKILL)
        code, output, problems = run.finish(90)
    assert (code, output) == (1, "")
    assert [problem.startswith("error: a part of the stack ended by itself: indexer") for problem in problems] == [True]
    only_the_logs_left(temporary, run.errors)


def test_demo_on_a_chain_nobody_may_upgrade_fails(temporary: Path) -> None:
    with ionet(temporary, "demo", "--chain", "http://127.0.0.1:9", "--json") as run:
        code, output, problems = run.finish(30)
    assert (code, output, problems) == (1, "", ["error: invalid input: --chain and --authority go together\n"])
    nothing_left(temporary)
