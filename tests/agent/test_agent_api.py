"""Requests to an agent over real HTTP: who is let in, what is refused, and that nothing happens then."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import msgspec
import pytest
import pytest_asyncio
from agent.memory_chain import MemoryChain
from agent.places import place
from ionet.agent_api import AgentClient, Challenge, Phase, Role, Spec
from ionet.agent_delegation import MAX_SECS, Delegated, delegate, message
from ionet.agent_errors import (
    BadChallenge,
    ChainSilent,
    Conflict,
    LeaseExpired,
    MeterRuns,
    NodeIdle,
    NoMember,
    NotEntitled,
    OtherKey,
    OtherLease,
)
from ionet.agent_tls import calling_context, serving_context
from ionet.errors import InvalidInput, RpcUnreachable
from ionet.generated.enums import LeaseStatus, NodeFlag
from ionet.lease_view import LeaseView
from ionet.rules.challenges import sign_challenge
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal, Proof
from ionet_agent.loop import Loop
from ionet_agent.node_chain import Signed
from ionet_agent.opening import Opening
from ionet_agent.processes import start_ticks
from ionet_agent.providers.local import LocalProvider
from ionet_agent.proving import Proving
from ionet_agent.report import measure
from ionet_agent.serve import serving
from ionet_agent.server import MAX_BODY, Api
from ionet_launcher.certs import ClusterSecrets
from launcher.check_members import checked
from launcher.ports import free_range
from leases import CLUSTER, DEVICE, RENTER, SESSION, lease_view
from solders.keypair import Keypair
from solders.pubkey import Pubkey

GPUS = b"""import ray; ray.init(logging_level="error"); print(ray.cluster_resources()["GPU"]); raise SystemExit(3)"""
STRANGER = Keypair.from_seed(bytes([9] * 32))


@dataclass
class Node:
    chain: MemoryChain
    lease: LeaseView
    journal: Journal
    provider: LocalProvider
    agent: Loop
    proving: Proving
    url: str

    async def tick(self) -> None:
        await self.proving.tick()
        await self.agent.tick()

    def client(self, caller: Keypair | Delegated = SESSION) -> AgentClient:
        return AgentClient(self.url, DEVICE.pubkey(), caller)

    def spec(self, **changes: object) -> Spec:
        secrets = ClusterSecrets(SESSION.secret(), bytes(self.lease.cluster))
        certificate, key = secrets.issue(str(self.lease.node), self.provider.address.split(":")[0])
        spec = Spec(
            lease=str(self.lease.address),
            cluster=str(self.lease.cluster),
            role=Role.HEAD,
            address=self.provider.address,
            processors=2,
            token=secrets.token,
            ca=secrets.ca_pem(),
            certificate=certificate,
            key=key,
        )
        return msgspec.structs.replace(spec, **changes)

    async def post(self, path: str, body: bytes, headers: dict[str, str], key: Keypair = SESSION) -> httpx2.Response:
        tls = calling_context(DEVICE.pubkey(), key)
        async with httpx2.AsyncClient(trust_env=False, verify=tls) as http:
            return await http.post(self.url + path, content=body, headers=headers)


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    chain = MemoryChain(lease_view(), lambda: int(time.time()))
    assert chain.lease is not None
    journal = Journal(tmp_path / "journal")
    provider = LocalProvider(
        tmp_path / "n", node="n", ip="127.0.88.1", ports=free_range(24), spool=tmp_path / "spool", place=place(tmp_path)
    )
    opening = Opening(journal)
    agent = Loop(chain, journal, provider, opening, report_hash=bytes(32), poll_secs=0.2)
    proving = Proving(chain, journal, provider, tmp_path / "spool", forget_secs=0)
    api = Api(Gate(agent.view), journal, opening, provider, measure())
    async with serving(api.app(), "127.0.0.1", 0, serving_context(DEVICE)) as port:
        yield Node(chain, chain.lease, journal, provider, agent, proving, f"https://127.0.0.1:{port}")
        status = await provider.status()
        if status.lease is not None:
            await provider.stop(status.lease)
    journal.close()


async def refused(
    node: Node, path: str, body: bytes, headers: dict[str, str], key: Keypair = SESSION
) -> tuple[int, str]:
    response = await node.post(path, body, headers, key)
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert (await node.provider.status()).phase is Phase.IDLE
    return response.status_code, problem["detail"]


async def test_the_session_key_and_whom_the_renter_names_are_let_in(node: Node) -> None:
    for caller in (SESSION, delegate(RENTER, CLUSTER, time.time())):
        async with node.client(caller) as client:
            status = await client.status()
        assert status.phase is Phase.IDLE
        assert status.address == node.provider.address


async def test_other_keys_are_refused(node: Node) -> None:
    async with node.client(STRANGER) as client:
        with pytest.raises(NotEntitled, match="no right") as caught:
            await client.start(node.spec())
    assert caught.value.status == 403


async def test_who_has_another_key_than_the_nodes_is_asked_for_nothing(node: Node) -> None:
    async with AgentClient(node.url, STRANGER.pubkey(), SESSION) as client:
        with pytest.raises(OtherKey, match="another key answers than the device key"):
            await client.start(node.spec())
    assert (await node.provider.status()).phase is Phase.IDLE


async def test_without_tls_or_without_a_certificate_nothing_is_answered(node: Node) -> None:
    address = node.url.removeprefix("https://")
    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx2.TransportError):
            await http.get(f"http://{address}/v1/status")
    nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nameless.check_hostname, nameless.verify_mode = False, ssl.CERT_NONE
    async with httpx2.AsyncClient(trust_env=False, verify=nameless) as http:
        with pytest.raises(httpx2.TransportError):
            await http.get(f"{node.url}/v1/status")
    old = calling_context(DEVICE.pubkey(), SESSION)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    async with httpx2.AsyncClient(trust_env=False, verify=old) as http:
        with pytest.raises(httpx2.TransportError):
            await http.get(f"{node.url}/v1/status")
    with pytest.raises(InvalidInput, match=r"http://127\.0\.0\.1:1 is not an https URL"):
        AgentClient("http://127.0.0.1:1", DEVICE.pubkey(), SESSION)


DELEGATED = Keypair.from_seed(bytes([8] * 32))


def named(
    *, by: Keypair = RENTER, cluster: Pubkey = CLUSTER, key: Keypair = DELEGATED, secs: float = 60, now: int = 0
) -> str:
    """The header of a delegation, made by hand."""
    expires = int((now or time.time()) + secs)
    return f"{expires}:{bytes(by.sign_message(message(cluster, key.pubkey(), expires))).hex()}"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (lambda: named(by=SESSION), "not signed by the cluster's renter"),
        (lambda: named(by=DELEGATED), "not signed by the cluster's renter"),
        (lambda: named(cluster=STRANGER.pubkey()), "not signed by the cluster's renter"),
        (lambda: named(key=STRANGER), "not signed by the cluster's renter"),
        (lambda: named(secs=-5), "ended [0-9]+ s ago, by the chain's clock"),
        (lambda: named(secs=MAX_SECS + 60), "lasts longer than"),
        (lambda: "1" + named(), "does not say when|lasts longer than"),
        (lambda: named().replace(":", ""), "does not say when it ends"),
        (lambda: "9" * 30 + ":" + "00" * 64, "does not say when it ends"),
        (lambda: f"{int(time.time()) + 60}:" + "00" * 63, "no signature of 64 bytes"),
        (lambda: f"{int(time.time()) + 60}:" + "zz" * 64, "no signature of 64 bytes"),
        (lambda: f"{int(time.time()) + 60}:" + "00" * 64, "not signed by the cluster's renter"),
        (lambda: "", "does not say when it ends"),
    ],
)
async def test_a_delegation_is_good_for_one_key_cluster_and_time(
    node: Node, header: Callable[[], str], reason: str
) -> None:
    body = msgspec.json.encode(node.spec())
    status, detail = await refused(node, "/v1/start", body, {"ionet-delegation": header()}, DELEGATED)
    assert status == 403
    assert re.search(reason, detail)


async def test_a_delegation_ends_while_its_connection_is_open(node: Node) -> None:
    async with node.client(Delegated(DELEGATED, named(secs=5))) as client:
        await client.status()
        node.chain.now = lambda: int(time.time()) + 10
        node.agent._viewed_at = 0.0
        with pytest.raises(NotEntitled, match="the delegation ended"):
            await client.status()


async def test_an_expired_session_key_is_refused(node: Node) -> None:
    node.chain.lease = lease_view(session_expires_at=int(time.time()))
    async with node.client() as client:
        with pytest.raises(NotEntitled, match="no right"):
            await client.status()


async def test_a_node_without_lease_lets_nobody_in(node: Node) -> None:
    node.chain.lease = None
    async with node.client() as client:
        with pytest.raises(NotEntitled, match="no right"):
            await client.status()


async def test_a_rotated_key_is_seen_at_once(node: Node) -> None:
    async with node.client(STRANGER) as client:
        with pytest.raises(NotEntitled):
            await client.status()
        node.chain.lease = lease_view(session_key=STRANGER.pubkey())
        node.agent._viewed_at = 0.0
        assert (await client.status()).phase is Phase.IDLE


async def test_a_large_body_is_refused(node: Node) -> None:
    assert (await refused(node, "/v1/start", b" " * (MAX_BODY + 1), {}))[0] == 413


async def test_bad_messages_are_refused(node: Node) -> None:
    async with node.client() as client:
        for changes in ({"lease": str(STRANGER.pubkey())}, {"processors": 8}, {"cluster": "other"}):
            with pytest.raises(Conflict) as conflict:
                await client.start(node.spec(**changes))
            assert conflict.value.status == 409
        with pytest.raises(OtherLease, match="another lease"):
            await client.stop(str(STRANGER.pubkey()))
        with pytest.raises(NoMember, match="no member") as absent:
            await client.credentials()
        assert absent.value.status == 404
        with pytest.raises(NodeIdle, match="no Ray node") as idle:
            _ = [event async for event in client.run(b"print(1)")]
        assert idle.value.status == 409
    body = b'{"lease": 5}'
    assert (await refused(node, "/v1/stop", body, {}))[0] == 422
    assert (await refused(node, "/v1/nothing", b"", {}))[0] == 404
    assert (await refused(node, "/v1/status", b"", {}))[0] == 405


async def test_an_ended_lease_is_not_started(node: Node) -> None:
    node.chain.lease = lease_view(status=LeaseStatus.ENDED, started_at=5, ends_at=10)
    async with node.client() as client:
        with pytest.raises(LeaseExpired, match="the lease is over"):
            await client.start(node.spec())


async def test_challenges_must_be_signed_by_the_session_key(node: Node) -> None:
    now = int(time.time())
    node.chain.lease = lease_view(status=LeaseStatus.ACTIVE, started_at=now, ends_at=now + 20)
    name = str(node.lease.address)
    good = sign_challenge(SESSION, node.lease.address, 1)
    async with node.client() as client:
        await client.challenge(Challenge(name, 1, good.hex()))
        for interval, signature in ((0, good.hex()), (2, good.hex()), (-1, good.hex()), (1, "zz"), (1, "00" * 64)):
            with pytest.raises(BadChallenge) as caught:
                await client.challenge(Challenge(name, interval, signature))
            assert caught.value.status == 422
    assert node.journal.challenge(name, 1) == good
    assert node.journal.challenge(name, 0) is None


async def test_status_counts_intervals_without_a_challenge(node: Node) -> None:
    node.chain.lease = lease_view(status=LeaseStatus.ACTIVE, started_at=int(time.time()), ends_at=2**40)
    name = str(node.lease.address)
    node.journal.put_challenge(name, 1, bytes(64))
    for interval in range(3):
        proof = Proof(name, interval, True, 10, bytes(32), 1, bytes(32), Signed(b"", 0))
        node.journal.put_proof(proof)
        node.journal.landed(proof)
    async with node.client() as client:
        assert (await client.status()).unchallenged == 2


async def test_a_chain_that_does_not_answer_is_said_so(node: Node) -> None:
    node.chain.lease = lease_view()

    async def fails(_others: object = ()) -> None:
        raise RpcUnreachable("down")

    node.chain.view = fails  # type: ignore[assignment]
    async with node.client() as client:
        with pytest.raises(ChainSilent, match=r"no answer from the chain: .*down") as caught:
            await client.status()
    assert caught.value.status == 503


async def test_start_run_stop_with_real_ray(node: Node) -> None:
    """The whole life of a lease of one node: said to be ready, started by request, metered, proven, over."""
    await node.tick()
    assert node.chain.ready == [bytes(32)]
    async with node.client() as client, node.client(delegate(RENTER, CLUSTER, time.time())) as renter:
        assert (await client.start(node.spec())).phase is Phase.STARTING
        assert (await client.start(node.spec())).phase in (Phase.STARTING, Phase.UP)  # new certificates, same member
        deadline = time.monotonic() + 30
        while (await client.status()).phase is not Phase.UP:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
            await node.tick()
        assert (await renter.credentials()).token == node.spec().token
        events = [event async for event in renter.run(GPUS)]
        assert "2.0" in "".join(e.output or "" for e in events).splitlines()
        assert events[-1].exit_code == 3
        assert await checked(node.lease, client, processors=2) == {}
        wrong = await checked(node.lease, client, processors=3)
        assert "Ray has 2 processors there, not the 3 booked" in wrong[node.lease.address].detail
        assert await renter.report() == measure().canonical()
        node.chain.accept(60)
        node.agent._viewed_at = 0.0
        with pytest.raises(MeterRuns, match="the meter runs"):
            await client.stop(str(node.lease.address))
        started = node.chain.lease.started_at if node.chain.lease else 0
        while int(time.time()) < started + 3:
            await asyncio.sleep(0.1)
            await node.tick()
        node.chain.end(started + 3)
        await node.agent.tick()  # stopped first: the last seconds are proven all the same
        await node.tick()
        assert node.chain.served == {0: 3}
        assert (await node.provider.status()).phase is Phase.IDLE
        assert node.journal.leases() == [str(node.lease.address)]
        node.chain.past = None
        await node.tick()
        assert node.journal.leases() == []


async def test_a_node_that_was_absent_says_when_it_is_there_again(node: Node) -> None:
    node.chain.lease, node.chain.flags = None, int(NodeFlag.ABSENT | NodeFlag.PAUSED)
    await node.agent.tick()
    assert node.chain.flags == 0


async def test_a_driver_ends_with_its_reader(node: Node) -> None:
    async with node.client() as client:
        await client.start(node.spec())
        stream = client.run(b"import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        pid = int(str((await anext(stream)).output))
        assert start_ticks(pid) is not None
        await stream.aclose()
        deadline = time.monotonic() + 30
        while start_ticks(pid) is not None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_a_withdrawn_lease_stops_its_member(node: Node) -> None:
    async with node.client() as client:
        await client.start(node.spec())
    node.chain.lease = None
    await node.agent.tick()
    assert (await node.provider.status()).phase is Phase.IDLE


async def test_agent_ends_ray_when_told_and_leaves_it_when_it_fails(node: Node) -> None:
    async with node.client() as client:
        await client.start(node.spec())
    failing = node.chain.view

    async def fails(_others: object = ()) -> None:
        raise ZeroDivisionError

    node.chain.view = fails  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        await node.agent.run(asyncio.Event())
    assert (await node.provider.status()).phase is Phase.STARTING
    node.chain.view = failing  # type: ignore[method-assign]
    running = asyncio.create_task(node.agent.run(told := asyncio.Event()))
    await asyncio.sleep(0.5)
    assert (await node.provider.status()).phase is not Phase.IDLE
    told.set()
    await running
    assert (await node.provider.status()).phase is Phase.IDLE
