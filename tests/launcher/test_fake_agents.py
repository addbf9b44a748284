"""Two agents of one supplier without Ray and without a GPU, against the real launcher, chain, indexer and database."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import market
import msgspec
import postgres
import pytest
from ionet.agent_api import Phase, Status
from ionet.agent_tls import serving_context
from ionet.generated.enums import LeaseStatus
from ionet.wallet import KeypairSigner
from ionet_agent.report import measure
from ionet_agent.serve import serving
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import Stack, stack, until
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

pytestmark = pytest.mark.matrix

REPORT = measure()


class FakeAgent:
    """Says yes to everything. names: whether it names an address of its check, where nobody is; number: of its ip."""

    def __init__(self, number: int, *, names: bool) -> None:
        self.ip = f"127.0.0.{number}"
        self.lease: str | None = None
        self.leases: list[str] = []
        self.runs = 0
        self.check = f"{self.ip}:9" if names else None

    @contextlib.asynccontextmanager
    async def serve(self, device: Keypair) -> AsyncIterator[str]:
        routes = [
            Route("/v1/status", self.status),
            Route("/v1/report", self.report),
            Route("/v1/start", self.start, methods=["POST"]),
            Route("/v1/stop", self.stop, methods=["POST"]),
            Route("/v1/run", self.run, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes), "127.0.0.1", 0, serving_context(device)) as port:
            yield f"https://127.0.0.1:{port}"

    async def status(self, _: Request) -> Response:
        phase = Phase.IDLE if self.lease is None else Phase.UP
        shown = Status(phase, f"{self.ip}:7000", self.ip, self.lease, since=1.0, check=self.check)
        return Response(msgspec.json.encode(shown))

    async def report(self, _: Request) -> Response:
        return Response(REPORT.canonical())

    async def start(self, request: Request) -> Response:
        self.lease = json.loads(await request.body())["lease"]
        return await self.status(request)

    async def stop(self, request: Request) -> Response:
        self.lease = None
        return await self.status(request)

    async def run(self, _: Request) -> Response:
        """What the driver would print: the lease's processors, and a witness like any other."""
        self.runs += 1
        found = {lease: {"processors": 1, "witness": "00" * 16, "devices": 1} for lease in self.leases}
        marks = "".join(f"{mark}{json.dumps(found)}\n" for mark in ("ionet-joined:", "ionet-hardware:"))
        return Response(json.dumps({"output": marks}) + "\n" + json.dumps({"exit_code": 0}) + "\n")


async def is_over(made: Stack, leases: list[Pubkey]) -> bool:
    """Every lease was rejected: it waits for nobody any more, and no meter ran."""
    found = [await made.lease(lease) for lease in leases]
    assert all(lease is None or not lease.started_at for lease in found), "a meter runs"
    return all(lease is None or lease.status == LeaseStatus.CANCELLED for lease in found)


@pytest.mark.parametrize("names", [False, True], ids=["no address", "nobody there"])
async def test_two_fake_agents_are_refused_before_a_meter_runs(
    server: EmbeddedPostgres, tmp_path: Path, names: bool
) -> None:
    async with contextlib.AsyncExitStack() as exits:
        founded = await exits.enter_async_context(market.market(slot_ms=100, clock_factor=0.1))
        dsn = await exits.enter_async_context(postgres.database(server))
        made = await exits.enter_async_context(stack(founded, dsn, tmp_path, 0))
        agents = [FakeAgent(9, names=names), FakeAgent(10, names=names)]
        machines = [await founded.add_machine(f"fake {number}") for number in range(2)]
        served = [agent.serve(machine.device) for agent, machine in zip(agents, machines, strict=True)]
        urls = [await exits.enter_async_context(one) for one in served]
        named = {str(machine.address): url for machine, url in zip(machines, urls, strict=True)}
        (tmp_path / "agents.json").write_text(json.dumps(named))
        _, leases = await made.book_machines(machines, duration=60)
        for agent in agents:
            agent.leases = [str(lease) for lease in leases]
        for machine, lease in zip(machines, leases, strict=True):
            await founded.admin.lease.mark_ready(lease, KeypairSigner(machine.device), REPORT.hash())
        await until(partial(is_over, made, leases), 60, "both nodes are rejected")
        log = (tmp_path / "launcher.log").read_text()
        for machine in machines:
            assert f"node {machine.address}: it" in log
