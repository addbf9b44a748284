"""What everybody may read of a launcher: phases, reasons and what became of members; never a secret.

Launcher, agents and database are real but for Ray and the chain.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
from ionet.agent_api import Phase
from ionet.base58 import encode
from ionet.check.devices import Device, Found
from ionet.errors import RpcUnreachable
from ionet.generated.enums import LeaseStatus
from ionet.launcher_api import (
    MEMBERS_AT_ONCE,
    MOVES_KEPT,
    ClusterStatus,
    Event,
    LauncherClient,
    LauncherError,
    UnknownCluster,
)
from ionet_launcher.api import Api
from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.keeping import Move, Replacement
from ionet_launcher.phases import ClusterPhase, Reason
from ionet_launcher.shown import Tables
from ionet_launcher.store import Store
from launcher.check_members import Hardware, Wrong
from launcher.network import NOW, Network
from launcher.test_check_time import of
from launcher.test_store import ME, work
from leases import CLUSTER, SESSION
from solders.pubkey import Pubkey

from launcher import test_check_time

network = test_check_time.network  # a fixture
SECRET = "api-key-in-an-address"


@contextlib.asynccontextmanager
async def asking(pool: asyncpg.Pool, host: str = "127.0.0.1", **limits: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = Api(Tables(pool, ME), **{"rate": 1e6, "burst": 10**6, **limits}).app()
    transport = httpx2.ASGITransport(app=app, client=(host, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@contextlib.asynccontextmanager
async def launcher_client(pool: asyncpg.Pool) -> AsyncIterator[LauncherClient]:
    async with asking(pool) as http:
        client = LauncherClient("http://127.0.0.1:1")
        client._http = http  # type: ignore[assignment]
        yield client


async def shown(pool: asyncpg.Pool, cluster: object = CLUSTER) -> ClusterStatus:
    async with launcher_client(pool) as client:
        return await client.cluster(cluster)


async def moves(pool: asyncpg.Pool) -> list[Event]:
    async with launcher_client(pool) as client:
        return await client.events(CLUSTER)


async def until_shown(network: Network, condition: Callable[[ClusterStatus], bool]) -> ClusterStatus:
    for _ in range(200):
        await network.steps(1)
        if condition(seen := await shown(network.pool)):
            return seen
    raise AssertionError(seen)


async def on_chain(network: Network, number: int, status: str, **times: int) -> None:
    """What the indexer knows of a lease."""
    columns = ", ".join(f"{name} = {value}" for name, value in times.items())
    update = f"UPDATE lease_work SET status = $2, node = $3{', ' + columns if columns else ''} WHERE lease = $1"
    machine = network.machines[number]
    await network.pool.execute(update, str(machine.address), status, str(machine.node))


@of(2)
async def test_a_renter_sees_the_phase_until_when_and_how_its_members_are(network: Network) -> None:
    await on_chain(network, 0, "ready", accept_by=NOW + 700)
    await on_chain(network, 1, "booked", ready_by=NOW + 900)
    network.machines[1].put(status=LeaseStatus.BOOKED, ready_at=0)
    seen = await until_shown(network, lambda seen: seen.live == 2)
    assert (seen.cluster, seen.session_key, seen.until) == (str(CLUSTER), ME, NOW + 900)
    members = {member.lease: member for member in seen.members}
    head = members[str(network.machines[0].address)]
    assert (head.node, head.status, head.until) == (str(network.machines[0].node), "ready", NOW + 700)
    assert (head.phase, head.asked_at, head.trouble, head.check, head.replaced_by) == (None,) * 5

    network.machines[1].put(status=LeaseStatus.READY, ready_at=NOW)
    running = await until_shown(network, lambda seen: seen.phase == ClusterPhase.RUNNING)
    up = await until_shown(network, lambda seen: {member.phase for member in seen.members} == {Phase.UP})
    checks = [member.check for member in up.members]
    assert [(check.problem, check.backend, check.devices, check.timed) for check in checks if check] == [
        (None, "numpy", ["cpu", "cpu"], False)
    ] * 2
    assert running.planned_at <= (running.decided_at or 0) <= (running.joined_at or 0) <= (running.running_at or 0)
    for number in range(2):
        await on_chain(network, number, "active", ends_at=NOW + 5_000 + number)
    assert (await shown(network.pool)).until == NOW + 5_001
    found = await moves(network.pool)
    assert (found[-1].phase, found[0].phase) == (ClusterPhase.PLANNED, ClusterPhase.RUNNING)


@of(2)
async def test_what_happened_is_seen_when_it_is_over(network: Network) -> None:
    """A worker is rejected for what its check found, the other's lease ends: the log has both, and why."""
    wrong = network.machines[1]
    wrong.provider.hardware = Hardware(Wrong)
    await network.until(lambda _: (network.accepted, network.rejected) == ([0], [1]))
    network.machines[0].chain.lease = None
    await network.until(lambda seen: seen.phase in (ClusterPhase.DRAINING, ClusterPhase.STOPPED))
    await network.until(lambda seen: seen.phase == ClusterPhase.STOPPED)
    seen = await shown(network.pool)
    assert (seen.phase, seen.until, seen.live) == (ClusterPhase.STOPPED, None, 0)
    found = await moves(network.pool)
    rejected = next(event for event in reversed(found) if event.reason == Reason.HARDWARE_MISMATCH)
    assert f"node {wrong.node}: the result of device 0 is wrong" in rejected.detail
    assert [event.number for event in found] == sorted((event.number for event in found), reverse=True)
    assert found[0].phase == ClusterPhase.STOPPED
    assert found[0].at >= found[-1].at


@of(2)
async def test_a_problem_of_a_check_and_a_trouble_are_the_members_own(network: Network) -> None:
    head, worker = network.machines
    head.provider.denies = {str(worker.address)}
    seen = await until_shown(network, lambda seen: any(one.check and one.check.problem for one in seen.members))
    checks = {member.lease: member.check for member in seen.members}
    check = checks[str(worker.address)]
    assert check is not None
    assert (check.problem, check.backend) == (f"node {worker.node}: no task ran on it: Ray does not know it", "numpy")
    other = checks[str(head.address)]
    assert other is not None
    assert other.problem is None
    worker.provider.joins = worker.provider.phase = Phase.FAILED
    seen = await until_shown(network, lambda seen: any(member.trouble for member in seen.members))
    troubles = {member.lease: member.trouble for member in seen.members}
    assert troubles[str(head.address)] is None
    trouble = troubles[str(worker.address)]
    assert trouble is not None
    assert (trouble.reason, trouble.since > 0) == (Reason.MEMBER_FAILED, True)


@of(1)
async def test_who_takes_the_place_of_a_lost_member_is_shown(network: Network) -> None:
    [machine] = network.machines
    [held] = await network.store.claim(1)
    await held.replace(Replacement(str(machine.address), str(machine.node), 1, 1, None, "next node", "next lease"))
    [member] = (await shown(network.pool)).members
    assert msgspec.to_builtins(member.replaced_by) == {"node": "next node", "lease": "next lease", "booked": False}


async def test_the_log_of_moves_has_a_bound(pool: asyncpg.Pool) -> None:
    await work(pool, "lease", str(CLUSTER), "booked", 1)
    store = Store(pool, ME)
    await store.plan()
    reasons = [Reason.AGENT_REFUSED, Reason.AGENT_UNREACHABLE]
    for number in range(MOVES_KEPT + 20):
        [held] = await store.claim(1)
        await held.move(Move(ClusterPhase.JOINING, reason=reasons[number % 2], detail=f"{number}"))
    [held] = await store.claim(1)
    await held.move(Move(ClusterPhase.JOINING, reason=reasons[1], detail="the same reason"))
    found = await moves(pool)
    assert len(found) == MOVES_KEPT
    assert found[0].detail == str(MOVES_KEPT + 19), "another detail alone is no move"
    assert await pool.fetchval("SELECT count(*) FROM launcher.move") == MOVES_KEPT


async def test_thousands_of_members_come_in_pages(pool: asyncpg.Pool) -> None:
    leases = sorted(encode(number.to_bytes(32, "big")) for number in range(1, 2 * MEMBERS_AT_ONCE + 11))
    for lease in leases:
        await work(pool, lease, str(CLUSTER), "booked", 1)
    await Store(pool, ME).plan()
    async with asking(pool) as http:
        first = (await http.get(f"/v1/clusters/{CLUSTER}")).json()
    assert (len(first["members"]), first["next"]) == (MEMBERS_AT_ONCE, first["members"][-1]["lease"])
    assert sorted(member.lease for member in (await shown(pool)).members) == leases


@of(1)
async def test_no_secret_is_ever_shown(network: Network) -> None:
    """Not those of the cluster, nor what errors tell: addresses of nodes and databases hold keys and passwords."""
    [machine] = network.machines
    seen: list[str] = []
    secrets = ClusterSecrets(SESSION.secret(), bytes(CLUSTER))
    hidden = [secrets.token, SECRET, SESSION.secret().hex(), str(SESSION), "PRIVATE KEY", "CERTIFICATE", "GPU-1"]
    card = Found([Device(name="card", uuid="GPU-1")])
    await network.until(lambda _: machine.provider.phase is Phase.UP)
    spec = machine.provider.spec
    assert spec is not None
    assert (spec.token, "PRIVATE KEY" in spec.key) == (secrets.token, True)
    hidden += [spec.key, spec.certificate, spec.ca, spec.token]

    async def look() -> None:
        async with asking(network.pool) as http:
            for path in ("/v1", f"/v1/clusters/{CLUSTER}", f"/v1/clusters/{CLUSTER}/events", f"/v1/{SECRET}"):
                answer = await http.get(path)
                seen.append(answer.text)
                assert not [secret for secret in hidden if secret in answer.text.replace(f"/{SECRET}", "")]
                assert not [secret for secret in hidden if secret in str(answer.headers)]

    async def refuses(_leases: object) -> None:
        raise RpcUnreachable(f"https://rpc.example/?{SECRET}")

    await look()
    accept, cluster = network.accept, network.cluster
    network.accept = refuses  # type: ignore[assignment, method-assign]
    await network.until(lambda seen: seen.reason == Reason.NOT_ACCEPTED)
    await look()
    for error in (RpcUnreachable(f"https://rpc.example/?{SECRET}"), ZeroDivisionError(SECRET)):

        async def fails(*_: object, error: Exception = error) -> None:
            raise error

        network.cluster = fails  # type: ignore[assignment, method-assign]
        await network.until(
            lambda seen: seen.reason in (Reason.CHAIN_UNREACHABLE, Reason.INTERNAL_ERROR) and SECRET in seen.detail
        )
        await look()
    network.accept, network.cluster = accept, cluster  # type: ignore[method-assign]
    finding = {"backend": "torch", "devices": msgspec.to_builtins(card.devices), "size": 1, "rounds": 1}
    finding |= {"fill_secs": 1.0, "read_secs": 1.0, "bytes_per_sec": None, "timed": True}
    await network.pool.execute("UPDATE launcher.member SET finding = $1", msgspec.json.encode(finding).decode())
    await look()
    assert '"devices":["card"]' in "".join(seen)
    assert "internal_error" in "".join(seen)
    assert "see the launcher's log" in "".join(seen)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (f"/v1/clusters/{CLUSTER}", 404, "not-found"),
        (f"/v1/clusters/{CLUSTER}/events", 404, "not-found"),
        ("/v1/clusters/nonsense", 400, "bad-request"),
        ("/v1/clusters/" + "1" * 5_000, 400, "bad-request"),
        ("/v1/clusters/%00", 400, "bad-request"),
        (f"/v1/clusters/{CLUSTER}?after=%00", 400, "bad-request"),
        (f"/v1/clusters/{CLUSTER}?afer=1", 400, "bad-request"),
        (f"/v1/clusters/{CLUSTER}?after={CLUSTER}&after={CLUSTER}", 400, "bad-request"),
        ("/v2", 404, "not-found"),
    ],
)
async def test_what_is_not_known_is_a_problem(pool: asyncpg.Pool, path: str, status: int, kind: str) -> None:
    async with asking(pool) as http:
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert (answer.json()["type"], answer.json()["status"]) == (kind, status)


async def test_nothing_can_be_written(pool: asyncpg.Pool) -> None:
    async with asking(pool) as http:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = await http.request(method, f"/v1/clusters/{CLUSTER}")
            assert (answer.status_code, answer.json()["type"]) == (405, "method-not-allowed")
        assert (await http.head("/v1")).status_code == 200


async def test_another_launchers_clusters_are_not_shown(pool: asyncpg.Pool) -> None:
    await work(pool, "lease", str(CLUSTER), "booked", 1)
    await Store(pool, str(Pubkey.default())).plan()
    with pytest.raises(UnknownCluster):
        await shown(pool)


async def test_an_address_that_asks_too_often_is_told_when_to_come_back(pool: asyncpg.Pool) -> None:
    async with asking(pool, rate=0.01, burst=3) as http:
        answers = [await http.get("/v1") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert (answers[3].json()["type"], int(answers[3].headers["retry-after"]) > 0) == ("too-many-requests", True)


async def test_a_database_that_is_away_is_said(pool: asyncpg.Pool) -> None:
    async with asking(pool) as http:
        await pool.execute("ALTER TABLE launcher.cluster RENAME TO gone")
        answer = await http.get(f"/v1/clusters/{CLUSTER}")
        assert (answer.status_code, answer.json()["type"]) == (503, "service-unavailable")
        with pytest.raises(LauncherError, match="HTTP 503"):
            async with launcher_client(pool) as client:
                await client.cluster(CLUSTER)
