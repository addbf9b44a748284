"""The agent's HTTP API (`ionet.agent_api` is its other end). Every answer to a refused request is problem JSON."""

from __future__ import annotations

import asyncio
import codecs
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from ionet.agent_api import Challenge, RunEvent, Spec, Status, Stop
from ionet.agent_delegation import DELEGATION_HEADER
from ionet.agent_errors import (
    AgentRefused,
    BadChallenge,
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    Conflict,
    LeaseExpired,
    MeterRuns,
    NetworkFailed,
    NodeBusy,
    NoMember,
    OtherLease,
    Problem,
    StorageFailed,
    TooManyDrivers,
    problem_of,
)
from ionet.check.report import Report
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.overlay import Network, Offer
from ionet.rules.challenges import is_signed_by
from ionet.rules.lease_time import intervals, runs_at
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ionet_agent.alarms import Alarms
from ionet_agent.auth import Gate
from ionet_agent.gpu_watch import Seen
from ionet_agent.journal import Journal
from ionet_agent.opening import Opening
from ionet_agent.overlay.joining import ClusterNetwork
from ionet_agent.providers.base import Driver, Provider
from ionet_agent.use import Use

MAX_BODY = 64 * 1024
MAX_SCRIPT = 1024 * 1024
MAX_DRIVERS = 4
BODY_SECS = 10.0
"""How long a body may take."""
SIGNATURE_LEN = 64
# What comes of a body that is not JSON of its kind: also bytes that are no text, and a thousand brackets.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_log = logging.getLogger(__name__)


class Api:
    """Handlers over one node's provider and journal."""

    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        opening: Opening,
        provider: Provider,
        report: Report,
        alarms: Alarms | None = None,
        network: ClusterNetwork | None = None,
        gpus: Callable[[], Seen] = lambda: Seen([]),
        weaker: str | None = None,
        use: Use | None = None,
    ) -> None:
        self._gate, self._journal, self._opening = gate, journal, opening
        self._provider, self._report, self._alarms = provider, report, alarms or Alarms()
        self._network, self._gpus, self._weaker = network, gpus, weaker
        self._drivers = asyncio.Semaphore(MAX_DRIVERS)
        self._use = use or Use(provider)

    def app(self) -> ASGIApp:
        routes = [
            Route("/v1/status", self.status, methods=["GET"]),
            Route("/v1/report", self.report, methods=["GET"]),
            Route("/v1/network", self.network, methods=["POST"]),
            Route("/v1/start", self.start, methods=["POST"]),
            Route("/v1/stop", self.stop, methods=["POST"]),
            Route("/v1/challenge", self.challenge, methods=["POST"]),
            Route("/v1/credentials", self.credentials, methods=["GET"]),
            Route("/v1/run", self.run, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {
            AgentRefused: lambda _, error: _problem(problem_of(error)),
            OSError: _no_storage,
            sqlite3.Error: _no_storage,
            **dict.fromkeys(_UNREADABLE, lambda _, error: _problem(problem_of(BadRequest(str(error))))),
            ClientDisconnect: lambda *_: _problem(Problem(400, "the request was not sent to its end")),
            HTTPException: lambda _, error: _problem(Problem(error.status_code, error.detail)),
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def status(self, request: Request) -> Response:
        lease, _ = await self._authorize(request, 0)
        silent = self._journal.silent_intervals(str(lease.address))
        status, left = await self._provider.status(str(lease.address)), self._opening.left(lease)
        shown = status if status.lease != str(lease.address) else self._gpus().of(status, lease)
        return _json(
            msgspec.structs.replace(
                shown,
                unchallenged=len(silent),
                check_secs_left=left,
                alarms=list(self._alarms.texts()),
                isolation=self._report.isolation,
                isolation_reason=self._weaker,
                network=await self._offer(lease, status),
                idle_secs=self._use.idle_secs(str(lease.address)),
            )
        )

    async def _offer(self, lease: LeaseView, status: Status) -> Offer | None:
        """None also while the member of an earlier lease runs, or where it does not work now."""
        if self._network is None or status.lease not in (None, str(lease.address)):
            return None
        try:
            return await self._network.offer(str(lease.address))
        except NetworkFailed as error:
            _log.warning("no network: %s", error, extra={"action": "no_network"})
            return None

    async def report(self, request: Request) -> Response:
        await self._authorize(request, 0)
        return Response(self._report.canonical(), media_type="application/json")

    async def network(self, request: Request) -> Response:
        lease, body = await self._authorize(request, MAX_BODY)
        wanted = msgspec.json.decode(body, type=Network).checked()
        _require_same(lease, wanted.lease)
        if self._network is None:
            raise Conflict("clusters stay on this machine")
        now = self._gate.now or 0
        if not runs_at(lease, now):
            raise LeaseExpired
        spec = self._provider.spec
        if spec is not None and spec.lease != wanted.lease:
            raise NodeBusy
        await self._network.join(lease, now, wanted)
        return Response(status_code=204)

    async def start(self, request: Request) -> Response:
        lease, body = await self._authorize(request, MAX_BODY)
        spec = msgspec.json.decode(body, type=Spec)
        _require_same(lease, spec.lease)
        if not (spec.token.isprintable() and spec.address.isprintable()):
            raise BadRequest("token and address are a line of text each")
        if spec.cluster != str(lease.cluster) or spec.processors != lease.processors:
            raise Conflict("the lease is of another cluster or size")
        if not runs_at(lease, self._gate.now or 0):
            raise LeaseExpired
        self._opening.begin(lease)
        # A move costs the node seconds that it cannot prove, so a renter may not ask for one after the other.
        return _json(await self._provider.start(spec, lease.interval_secs if lease.started_at else 0))

    async def stop(self, request: Request) -> Response:
        lease, body = await self._authorize(request, MAX_BODY)
        _require_same(lease, msgspec.json.decode(body, type=Stop).lease)
        if lease.status == LeaseStatus.ACTIVE and runs_at(lease, self._gate.now or 0):
            # Or a renter could make the node miss intervals and have it slashed for them.
            raise MeterRuns("end the lease on the chain")
        if lease.started_at:
            # The agent ends it at its next look, once it has noted the last seconds for their proof.
            return _json(await self._provider.status())
        return _json(await self._provider.stop(str(lease.address)))

    async def challenge(self, request: Request) -> Response:
        lease, body = await self._authorize(request, MAX_BODY)
        challenge = msgspec.json.decode(body, type=Challenge)
        _require_same(lease, challenge.lease)
        if not 0 <= challenge.interval < intervals(lease):
            raise BadChallenge("the lease has no such interval")
        signature = _signature(challenge.signature)
        if not is_signed_by(lease.session_key, lease.address, challenge.interval, signature):
            raise BadChallenge("the session key did not sign it")
        self._journal.put_challenge(str(lease.address), challenge.interval, signature)
        return Response(status_code=204)

    async def credentials(self, request: Request) -> Response:
        lease, _ = await self._authorize(request, 0)
        spec = self._provider.spec
        if spec is None or spec.lease != str(lease.address):
            raise NoMember
        return _json(spec)

    async def run(self, request: Request) -> Response:
        _, script = await self._authorize(request, MAX_SCRIPT)
        if self._drivers.locked():
            raise TooManyDrivers(f"at most {MAX_DRIVERS}")
        await self._drivers.acquire()
        try:
            driver = await self._provider.run_driver(script)
        except BaseException:
            self._drivers.release()
            raise
        return StreamingResponse(self._follow(driver), media_type="application/x-ndjson")

    async def _follow(self, driver: Driver) -> AsyncIterator[bytes]:
        """Output of a driver as lines of RunEvent; when the reader goes away the driver ends."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        try:
            with self._use.connected():
                while part := await driver.read():
                    yield _line(RunEvent(output=decoder.decode(part)))
                yield _line(RunEvent(exit_code=await driver.ended()))
        finally:
            driver.kill()
            self._drivers.release()

    async def _authorize(self, request: Request, limit: int) -> tuple[LeaseView, bytes]:
        """The node's lease and the request's body, of which nothing is read unless the caller may act on the lease."""
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > limit:
            raise BodyTooLarge(f"at most {limit} bytes")
        lease = await self._gate.admit(request.state.key, request.headers.get(DELEGATION_HEADER))
        try:
            async with asyncio.timeout(BODY_SECS):
                return lease, await _read(request, limit)
        except TimeoutError:
            raise BodyTooSlow(f"at most {BODY_SECS:g} s") from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise BodyTooLarge(f"at most {limit} bytes")
    return bytes(body)


def _problem(problem: Problem) -> Response:
    return Response(msgspec.json.encode(problem), problem.status, media_type="application/problem+json")


async def _no_storage(_: Request, error: Exception) -> Response:
    _log.warning("a request failed: %s", error, extra={"action": "storage_failed"})
    return _problem(problem_of(StorageFailed(str(error))))


def _require_same(lease: LeaseView, named: str) -> None:
    if named != str(lease.address):
        raise OtherLease


def _signature(text: str) -> bytes:
    try:
        signature = bytes.fromhex(text)
    except ValueError:
        signature = b""
    if len(signature) != SIGNATURE_LEN:
        raise BadChallenge(f"a signature is {SIGNATURE_LEN} bytes in hex")
    return signature


def _json(value: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _line(event: RunEvent) -> bytes:
    return msgspec.json.encode(event) + b"\n"
