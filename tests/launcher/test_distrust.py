"""A launcher among hostile agents: what one of them does costs its own node, and nobody else.

The agents are real sockets, the honest ones real agents but for Ray and the chain; the database is real.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import hostile
import pytest
from hostile import Answer, Hostile
from ionet.agent_api import Phase
from ionet.agent_errors import AgentUnreachable
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet_launcher.calls import Calls, Late
from ionet_launcher.clients import Clients, NoAgent
from ionet_launcher.device_keys import DeviceKeys
from ionet_launcher.phases import PATIENCE_SECS, ClusterPhase, Reason
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import ClusterView
from launcher.network import ENDS, NOW, Network, planned
from launcher.ports import free_range
from leases import CLUSTER, DEVICE, NODE, SESSION
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix


async def everybodys(nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
    return dict.fromkeys(nodes, DEVICE.pubkey())


KEYS = DeviceKeys(everybodys)
# Less than a hostile agent takes, more than an honest one.
SOON = 2.0
SILENT = [hostile.hang, hostile.drip, hostile.drip_headers, hostile.no_http]
LIARS = [hostile.garbage, hostile.endless_body, hostile.endless_line, hostile.bomb, hostile.says(ip="nonsense")]
LIARS += [hostile.says(address="127.0.9.9:1"), hostile.says(ip="127.0.1.1", address="127.0.1.1:1")]
KINDS = [*((answer, Reason.AGENT_UNREACHABLE) for answer in SILENT), *((answer, Reason.BAD_ANSWER) for answer in LIARS)]


def named(network: Network, number: int, detail: str) -> bool:
    return f"node {network.machines[number].node}: " in detail


@pytest.mark.parametrize(("answer", "reason"), KINDS)
async def test_a_hostile_worker_is_left_behind_and_the_others_start(
    pool: asyncpg.Pool, tmp_path: Path, answer: Answer, reason: Reason
) -> None:
    async with (
        Hostile(answer).serving() as server,
        planned(pool, tmp_path, 3, urls={2: server.url}, soon_secs=SOON) as network,
    ):
        seen = await network.until(lambda _: network.started() == [1, 1, 0] and bool(network.phases()[1]))
        await network.until(lambda seen: seen.reason == reason and named(network, 2, seen.detail))
        assert network.accepted == [], "the others still wait for it"
        await network.passes(75)
        seen = await network.until(lambda _: network.accepted == [0, 1])
        seen = await network.until(lambda seen: seen.phase == ClusterPhase.JOINING and seen.reason != Reason.NONE)
        assert named(network, 2, seen.detail)
        assert network.rejected == []


async def in_trouble_for(network: Network, secs: float) -> None:
    await network.pool.execute("UPDATE launcher.cluster SET trouble_since = now() - make_interval(secs => $1)", secs)
    await network.pool.execute("UPDATE launcher.trouble SET since = now() - make_interval(secs => $1)", secs)


async def test_a_worker_in_trouble_for_longer_than_patience_is_not_waited_for(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with (
        Hostile(hostile.hang).serving() as server,
        planned(pool, tmp_path, 2, urls={1: server.url}, soon_secs=SOON) as network,
    ):
        await network.until(lambda seen: network.phases()[0] is Phase.UP and seen.reason == Reason.AGENT_UNREACHABLE)
        await in_trouble_for(network, PATIENCE_SECS - 10)
        await network.steps(3)
        assert network.accepted == []
        await in_trouble_for(network, PATIENCE_SECS + 1)
        await network.until(lambda _: network.accepted == [0])


@pytest.mark.parametrize(("answer", "reason"), KINDS[:6])
async def test_a_hostile_head_is_rejected_and_the_others_start_under_the_next(
    pool: asyncpg.Pool, tmp_path: Path, answer: Answer, reason: Reason
) -> None:
    async with (
        Hostile(answer).serving() as server,
        planned(pool, tmp_path, 3, urls={0: server.url}, soon_secs=SOON) as network,
    ):
        seen = await network.until(lambda seen: seen.reason == reason)
        assert named(network, 0, seen.detail)
        await in_trouble_for(network, PATIENCE_SECS - 10)
        await network.steps(3)
        assert (network.rejected, network.started()) == ([], [0, 0, 0])
        await in_trouble_for(network, PATIENCE_SECS + 1)
        await network.until(lambda _: network.accepted == [1, 2])
        assert network.rejected == [0]


async def test_a_silent_head_is_not_rejected_while_nobody_else_answers(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """Then the fault is rather the launcher's own."""
    async with (
        Hostile(hostile.hang).serving() as server,
        planned(pool, tmp_path, 2, urls={0: server.url, 1: server.url}, soon_secs=SOON) as network,
    ):
        await network.until(lambda seen: seen.reason == Reason.AGENT_UNREACHABLE)
        await in_trouble_for(network, PATIENCE_SECS + 1)
        await network.steps(3)
        assert network.rejected == []


async def test_what_goes_wrong_in_a_call_to_one_node_ends_no_step(
    pool: asyncpg.Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its URL is none that anything can be sent to."""
    async with planned(pool, tmp_path, 2, urls={1: "http://[::1"}, soon_secs=SOON) as network:
        seen = await network.until(lambda seen: seen.reason == Reason.AGENT_UNREACHABLE)
        assert named(network, 1, seen.detail)
        await network.passes(90)
        await network.until(lambda _: network.accepted == [0])
    assert "a call to node" in caplog.text


async def test_a_member_that_fails_says_why(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with planned(pool, tmp_path, 2) as network:
        worker = network.machines[1]
        worker.provider.joins = Phase.FAILED
        seen = await network.until(lambda seen: seen.reason == Reason.MEMBER_FAILED)
        assert named(network, 1, seen.detail)


async def test_a_check_that_never_ends_holds_up_no_step(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """The head follows its protocol, but the driver that it runs for the launcher says nothing."""
    async with planned(pool, tmp_path, 1, soon_secs=SOON) as network:
        [machine] = network.machines

        class Silent:
            async def read(self) -> bytes:
                await asyncio.Event().wait()
                return b""

            async def ended(self) -> int:
                return 0

            def kill(self) -> None:
                pass

        async def runs(_script: bytes) -> Silent:
            return Silent()

        machine.provider.run_driver = runs  # type: ignore[assignment, method-assign]
        await network.until(lambda seen: seen.phase == ClusterPhase.READY)
        await network.steps(4)
        flight = network.stepper._hardware._flights.get(CLUSTER)
        assert flight is not None
        assert (flight.task.done(), network.accepted) == (False, [])


def meter(network: Network, *numbers: int, interval_secs: int = 1) -> None:
    for number in numbers:
        machine = network.machines[number]
        machine.put(status=LeaseStatus.ACTIVE, started_at=NOW, ends_at=ENDS, interval_secs=interval_secs)
        network.accepted.append(number)


def challenged(network: Network, number: int) -> set[int]:
    """Intervals of which the agent has the challenge."""
    machine = network.machines[number]
    return {at for at in range(8) if machine.journal.challenge(str(machine.address), at) is not None}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def until_challenged(network: Network, number: int, intervals: set[int]) -> None:
    await until(lambda: intervals <= challenged(network, number))


async def test_challenges_go_out_whatever_chain_and_other_agents_do(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """After one look, the chain never answers again, and the other member never did."""
    async with (
        Hostile(hostile.drip).serving() as server,
        planned(pool, tmp_path, 2, urls={0: server.url}, soon_secs=SOON) as network,
    ):
        meter(network, 0, 1)
        await network.steps(1)

        async def hangs(_address: Pubkey, _leases: Sequence[Pubkey]) -> ClusterView | None:
            await asyncio.Event().wait()
            return None

        network.cluster = hangs  # type: ignore[method-assign]
        stuck = asyncio.create_task(network.steps(1))
        await until_challenged(network, 1, {1, 2, 3})
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


async def test_a_meter_that_has_stopped_is_not_challenged(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with planned(pool, tmp_path, 2) as network:
        meter(network, 0, 1)
        await network.steps(1)
        await until_challenged(network, 1, {0})
        network.machines[1].put(status=LeaseStatus.ENDED)
        await network.steps(1)
        before = challenged(network, 1)
        await until_challenged(network, 0, {max(before) + 2})
        assert challenged(network, 1) == before


async def test_a_step_that_takes_too_long_is_broken_off_and_said(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ionet_launcher.scheduler.STEP_SECS", 0.2)

    async def hangs(_leases: Sequence[LeaseView]) -> None:
        await asyncio.Event().wait()

    async with planned(pool, tmp_path, 1) as network:
        network.accept = hangs  # type: ignore[assignment, method-assign]
        seen = await network.until(lambda seen: seen.reason == Reason.STEP_TOO_LONG)
        assert seen.phase != ClusterPhase.FAILED


async def test_no_step_holds_a_connection_while_agents_are_silent(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with (
        Hostile(hostile.hang).serving() as server,
        planned(pool, tmp_path, 1, urls={0: server.url}, soon_secs=60) as network,
    ):
        await network.steps(1)
        stepping = asyncio.create_task(Scheduler(network.store, network.stepper)._once())
        await until(lambda: server.asked > 0)
        assert pool.get_idle_size() == pool.get_size()
        assert not stepping.done()
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)


async def test_a_late_answer_is_for_the_next_who_asks() -> None:
    released = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await hostile.says()(writer)

    async with Hostile(late).serving() as server:
        calls = Calls(SESSION, {NODE: server.url}, KEYS, soon_secs=0.05)
        for _ in range(3):
            with pytest.raises(Late):
                await calls.answer(NODE, "status", lambda agent: agent.status(), last=True)
        assert server.asked == 1, "one call at a time"
        released.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    status = await calls.answer(NODE, "status", lambda agent: agent.status(), last=True)
                    break
                except Late:
                    await asyncio.sleep(0.01)
        assert (status.phase, server.asked) == (Phase.IDLE, 1)
        released.clear()
        kept = await calls.answer(NODE, "status", lambda agent: agent.status(), last=True)
        assert kept == status, "the last answer does until there is a newer one"
        await calls.aclose()


async def test_last_answers_are_kept_of_a_bounded_number_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionet_launcher.calls._MOST_LAST", 3)
    nodes = [Pubkey(bytes([number] * 32)) for number in range(1, 10)]
    async with Hostile(hostile.says()).serving() as server:
        calls = Calls(SESSION, dict.fromkeys(nodes, server.url), KEYS, soon_secs=60)
        for node in nodes:
            await calls.answer(node, "status", lambda agent: agent.status(), last=True)
            await calls.answer(node, "stop", lambda agent: agent.stop("lease"))
        assert [key[0] for key in calls._last] == nodes[-3:]  # type: ignore[index]
        await calls.aclose()


async def test_a_node_that_was_late_is_not_waited_for_until_it_is_quick_again() -> None:
    async with Hostile(hostile.hang).serving() as server:
        calls = Calls(SESSION, {NODE: server.url}, KEYS, soon_secs=0.05)
        with pytest.raises(Late):
            await calls.answer(NODE, "status", lambda agent: agent.status())
        calls._soon_secs = 1_000
        async with asyncio.timeout(30):
            with pytest.raises(Late):
                await calls.answer(NODE, "report", lambda agent: agent.report())
        server.answer = hostile.says()
        async with asyncio.timeout(30):
            while NODE in calls._late:
                await asyncio.sleep(0.01)
                with contextlib.suppress(Late):
                    await calls.answer(NODE, "stop", lambda agent: agent.stop("lease"), object())
        assert await calls.answer(NODE, "stop", lambda agent: agent.stop("lease"), "waited for")
        await calls.aclose()


async def test_clients_are_kept_for_a_bounded_number_of_nodes() -> None:
    nodes = [Pubkey(bytes([number] * 32)) for number in range(1, 10)]
    [port] = free_range(1)
    urls = dict.fromkeys(nodes, f"https://127.0.0.1:{port}")
    clients = Clients(SESSION, urls, KEYS, most=3)
    async with clients.of(nodes[0]) as held:
        for node in nodes:
            async with clients.of(node):
                pass
        async with clients.of(nodes[0]) as again:
            assert again is held, "one in use is not closed"
        assert len(clients) == 3
    urls[nodes[0]] = f"https://127.0.0.1:{port}/moved"
    async with clients.of(nodes[0]) as other:
        assert other is not held
    assert len(clients) == 3
    with pytest.raises(NoAgent):
        async with clients.of(Pubkey(bytes([99] * 32))):
            pass
    await clients.aclose()
    with pytest.raises((AgentUnreachable, RuntimeError)):
        await held.status()
