"""Provider `local` with real Ray: a head and two workers over TLS with a token."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from agent.places import place
from agent.ray_members import PORTS_PER_NODE, Member, driver, members, settled, stop_all
from ionet.agent_api import Phase, Role
from ionet.agent_errors import MovedAlready, NodeBusy
from ionet.errors import ConfigError
from ionet.rules.merkle import result_hash
from ionet_agent import processes, spool
from ionet_agent.isolation import ladder
from ionet_agent.isolation.base import Level
from ionet_agent.isolation.runtime import Runtime
from ionet_agent.providers.local import LocalProvider
from ionet_agent.providers.ray_node import MODULE
from ionet_launcher.certs import ClusterSecrets
from msgspec.structs import replace
from waiting import until

CHECK = "ionet.check.member"
TESTS = str(Path(__file__).parents[1])
VIEW = """
import json, ray
ray.init(logging_level="warning")
alive = [node for node in ray.nodes() if node["Alive"]]
print("answer:", json.dumps([(node["Labels"]["ionet-lease"], node["Resources"].get("GPU")) for node in alive]))
"""
WORK = """
import hashlib, json, ray, ionet.ray
ray.init(logging_level="warning")
@ray.remote(num_gpus=1, scheduling_strategy="SPREAD")
@ionet.ray.proved
def work(i): return bytes([i])
print("answer:", json.dumps([r.hex() for r in ray.get([work.remote(i) for i in range(9)])]))
"""
AGENTS = """
import json, os, time, ray
from ionet.dashboard import call_agents
from ray._raylet import GcsClient
head = GcsClient(address=os.environ["RAY_ADDRESS"])
known = lambda: len(head.internal_kv_keys(b"DASHBOARD_AGENT_ADDR_NODE_ID_PREFIX:", b"dashboard"))
before, called, until = known(), set(), time.monotonic() + 90
call_agents(head, called)
while known() < 3 and time.monotonic() < until:
    time.sleep(0.1)
ray.init(logging_level="warning")
@ray.remote
def said(): return os.environ["SAID"]
ask = lambda name: said.options(resources={name: 1}, runtime_env={"env_vars": {"SAID": name}}).remote()
names = sorted(name for name in ray.cluster_resources() if name.startswith("ionet-"))
asked = ray.get([ask(name) for name in names]) == names
print("answer:", json.dumps([before, known(), len(called), len(names), asked]))
"""


LEVELS = (Level.NONE, Level.BUBBLEWRAP)


@cache
def tried(level: Level) -> Level:
    """A level that this machine has; skips a test where it has not."""
    if level is not Level.NONE:
        reason = ladder.why_not(ladder.of(level, Path("/nonexistent")), Runtime.own())
        if reason is not None:
            pytest.skip(reason)
    return level


@pytest_asyncio.fixture(params=LEVELS)
async def member(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Member]:
    """A head of its own; whatever a test leaves running is stopped."""
    made = members(tmp_path, 1, level=tried(request.param))
    yield made[0]
    await stop_all(made)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LEVELS)
async def cluster(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[list[Member]]:
    made = members(tmp_path_factory.mktemp("cluster"), 3, level=tried(request.param))
    began = time.monotonic()
    await asyncio.gather(*(m.provider.start(m.spec) for m in made))
    try:
        phases = await asyncio.gather(*(settled(m) for m in made))
        assert phases == [Phase.UP] * 3
        print(f"head and two workers up after {time.monotonic() - began:.1f} s")
        yield made
    finally:
        tags = [m.tag() for m in made]
        await stop_all(made)
    for member, tag in zip(made, tags, strict=True):
        assert processes.tagged(tag) == []
        assert not any(tag in name for name in os.listdir("/tmp"))
        assert (await member.provider.status()).phase is Phase.IDLE


@pytest.mark.asyncio(loop_scope="module")
class TestCluster:
    async def test_all_members_join_with_their_processors(self, cluster: list[Member]) -> None:
        view = await driver(cluster[0], VIEW)
        assert sorted(map(tuple, view)) == [("lease0", 2.0), ("lease1", 2.0), ("lease2", 2.0)]

    async def test_results_reach_the_spool_of_the_node_that_made_them(self, cluster: list[Member]) -> None:
        results = [bytes.fromhex(str(r)) for r in await driver(cluster[0], WORK)]
        assert results == [bytes([i]) for i in range(9)]
        lines = [line for m in cluster if m.spool.exists() for line in m.spool.read_text().splitlines()]
        entries = [spool.Entry(**json.loads(line)) for line in lines]
        assert sorted(e.sha256 for e in entries) == sorted(result_hash(r).hex() for r in results)
        assert len({e.task for e in entries}) == 9

    async def test_a_member_sees_which_nodes_its_cluster_has(self, cluster: list[Member]) -> None:
        address, folders = cluster[0].spec.address, [f"/tmp/ionet-{member.tag()}" for member in cluster]
        ip, head = cluster[1].provider.address.partition(":")[0], {"is_head_node": True}
        one = {"node_ip_address": ip}
        looks = [(address, head, None), (address, one, folders[1]), (address, one, folders[2]), (f"{ip}:1", head, None)]
        script = f"import json; from ionet.ray_start import await_node as seen; looks = {looks}"
        script += (
            '\nprint("answer:", json.dumps([seen(*look, secs=10 if i < 2 else 1) for i, look in enumerate(looks)]))'
        )
        assert await driver(cluster[1], script) == [True, True, False, False]

    async def test_rays_agents_come_when_they_are_called(self, cluster: list[Member]) -> None:
        """For a dashboard on every node, and on each for a task that wants an environment of its own."""
        assert await driver(cluster[0], AGENTS) == [0, 3, 3, 3, True]

    async def test_starting_again_changes_nothing(self, cluster: list[Member]) -> None:
        before = cluster[1].tag(), await cluster[1].provider.status()
        assert await cluster[1].provider.start(cluster[1].spec) == before[1]
        assert cluster[1].tag() == before[0]

    async def test_another_lease_is_refused(self, cluster: list[Member]) -> None:
        with pytest.raises(NodeBusy):
            await cluster[1].provider.start(cluster[2].spec)
        with pytest.raises(NodeBusy):
            await cluster[1].provider.stop("another")

    async def test_a_new_owner_adopts_what_runs(self, cluster: list[Member]) -> None:
        before = await cluster[1].provider.status()
        reopened = cluster[1].reopened()
        assert await reopened.provider.adopt() == before
        assert await reopened.provider.start(cluster[1].spec) == before
        await reopened.provider.close()
        await cluster[1].provider.adopt()

    async def test_what_answers_the_check_is_started_again_beside_its_member(self, cluster: list[Member]) -> None:
        provider, tag = cluster[1].provider, cluster[1].tag()
        before = await provider.tend()
        first = processes.module_of(f"{tag}-check", CHECK)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (second := processes.module_of(f"{tag}-check", CHECK)) in (None, first):
            assert time.monotonic() < deadline, "it is not started again"
            assert await provider.tend() == before
            await asyncio.sleep(0.1)
        assert second is not None
        assert os.readlink(f"/proc/{second}/ns/pid") == os.readlink(f"/proc/{_ray(tag)}/ns/pid")

    @pytest.mark.parametrize("other", [b"another token", b"another CA"])
    async def test_a_stranger_cannot_join(self, cluster: list[Member], other: bytes, tmp_path: Path) -> None:
        stranger = ClusterSecrets(b"x" * 32, b"c" * 32)
        [member] = members(tmp_path, 1)
        member.spec = replace(member.spec, role=Role.WORKER, address=cluster[0].spec.address, token=stranger.token)
        if other == b"another CA":
            certificate, key = stranger.issue("stranger", "127.0.0.9")
            own = cluster[0].spec.token
            member.spec = replace(member.spec, token=own, ca=stranger.ca_pem(), certificate=certificate, key=key)
        await member.provider.start(member.spec)
        await asyncio.sleep(5)
        assert (await member.provider.status()).phase is not Phase.UP
        tag = member.tag()
        await member.provider.stop(member.spec.lease)
        assert processes.tagged(tag) == []
        assert len(await driver(cluster[0], VIEW)) == 3

    async def test_a_killed_worker_is_seen_and_comes_back(self, cluster: list[Member]) -> None:
        worker = cluster[2]
        pid = processes.tagged(worker.tag())[0]
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert (await worker.provider.status()).phase is Phase.FAILED
        old = worker.tag()
        await worker.provider.restart()
        assert worker.tag() != old
        assert processes.tagged(old) == []
        assert await settled(worker) is Phase.UP
        # The head believes in the killed one until its health check gives up: members count by lease.
        assert {lease for lease, _ in await driver(cluster[0], VIEW)} == {"lease0", "lease1", "lease2"}


OWNER = """
import asyncio, sys, msgspec
from agent.places import place
from agent.ray_members import PORTS_PER_NODE, Member, driver, members, settled, stop_all
from ionet_agent.isolation.base import Level
from pathlib import Path
from ionet.agent_api import Spec
from ionet_agent.providers.local import LocalProvider
base, node, ip, first, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
ports = range(first, first + count)
here = place(base, Level(sys.argv[6]))
provider = LocalProvider(base, node=node, ip=ip, ports=ports, spool=base / "spool", place=here)
asyncio.run(provider.start(msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)))
print("started", flush=True)
import time; time.sleep(60)
"""


async def test_a_member_that_is_being_started_has_not_failed(member: Member) -> None:
    """Not even before it has a process: its launcher would take that for trouble."""
    start = asyncio.create_task(member.provider.start(member.spec))
    seen = set()
    while not start.done():
        seen.add((await member.provider.status()).phase)
        await asyncio.sleep(0)
    await start
    assert Phase.STARTING in seen
    assert seen <= {Phase.IDLE, Phase.STARTING, Phase.UP}


@pytest.mark.parametrize("cut", ["tag only", "spawned", "recorded"])
@pytest.mark.matrix
async def test_killed_owner_leaves_one_node_or_none(member: Member, cut: str) -> None:
    """kill -9 right after the tag is on disk, after the spawn, and after the process is recorded."""
    ip, first = member.spec.address.split(":")
    arguments = (str(member.base), "node0", ip, first, str(PORTS_PER_NODE), member.level)
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, *arguments, stdin=PIPE, stdout=PIPE, env={**os.environ, "PYTHONPATH": TESTS}
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    owner.stdin.write(msgspec.json.encode(member.spec))
    owner.stdin.close()
    state = member.base / "ray.json"
    if cut == "recorded":
        assert await owner.stdout.readline() == b"started\n"
    else:
        while not state.exists() or (cut == "spawned" and not processes.tagged(member.tag())):  # noqa: ASYNC110
            await asyncio.sleep(0)
    owner.kill()
    await owner.wait()
    tag = member.tag()
    # Killed in the middle of the spawn, the owner may take a child with it that was there a moment ago.
    status = await member.provider.adopt()
    spawned = status.phase is not Phase.FAILED
    if spawned:
        assert status.phase in (Phase.STARTING, Phase.UP)
        # On its way into the room, what answers the check carries its own tag only.
        await until(lambda: _mains(tag) == [False, True], "Ray, and what answers the check")
    else:
        assert processes.tagged(tag) == []
    await member.provider.restart()
    assert await settled(member) is Phase.UP
    last = member.tag()
    assert (last == tag) is spawned
    await member.provider.stop(member.spec.lease)
    assert processes.tagged(tag) == processes.tagged(last) == []


def _ray(tag: str) -> int:
    pid = processes.module_of(tag, MODULE)
    assert pid is not None
    return pid


def _mains(tag: str) -> list[bool]:
    """For each process of a member that none of the others has started: whether it is Ray."""
    found = processes.tagged(tag)
    return sorted(processes.runs(pid, MODULE) for pid in found if _parent(pid) not in found)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_recycled_process_id_is_not_ours(member: Member) -> None:
    await member.provider.start(member.spec)
    tag = member.tag()
    state = json.loads((member.base / "ray.json").read_text())
    (member.base / "ray.json").write_text(json.dumps({**state, "pid": os.getpid()}))
    assert (await member.provider.status()).phase is Phase.FAILED
    await member.provider.stop(member.spec.lease)
    assert processes.tagged(tag) == []


async def test_a_worker_is_moved_to_another_head_and_not_twice_in_a_row(tmp_path: Path) -> None:
    worker = members(tmp_path, 2)[1]
    ip = worker.provider.address.split(":")[0]
    there = [replace(worker.spec, address=f"{ip}:{port}", certificate="new") for port in (1, 2)]
    tags = []
    try:
        for spec in (worker.spec, there[0]):
            status = await worker.provider.start(spec, 600)
            assert (status.lease, status.joins) == (worker.spec.lease, spec.address)
            tags.append(worker.tag())
            assert await worker.provider.start(spec, 600) == status, "the same again changes nothing"
        assert processes.tagged(tags[0]) == []
        await until(lambda: _mains(tags[1]) == [False, True], "Ray, and what answers the check")
        # A renter could otherwise keep a node from serving, and have it slashed.
        for again in (worker, worker.reopened()):
            with pytest.raises(MovedAlready):
                await again.provider.start(there[1], 600)
        for other in (replace(there[1], lease="other"), replace(there[1], role=Role.HEAD)):
            with pytest.raises(NodeBusy):
                await worker.provider.start(other)
        assert worker.tag() == tags[1]
        await worker.provider.start(there[1], 0)
        assert worker.tag() not in tags
    finally:
        tags.append(worker.tag())
        await worker.provider.stop(worker.spec.lease)
    assert [processes.tagged(tag) for tag in tags] == [[]] * 3


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    spool, here = tmp_path / "s", place(tmp_path)
    with pytest.raises(ConfigError, match="Ray replaces"):
        LocalProvider(tmp_path, node="n", ip="127.0.0.1", ports=range(20000, 20040), spool=spool, place=here)
    with pytest.raises(ConfigError, match="at least 18 ports"):
        LocalProvider(tmp_path, node="n", ip="127.0.0.2", ports=range(20000, 20003), spool=spool, place=here)
