"""The agent's HTTP API (`ionet.agent_api` is its other end). Every answer to a refused request is problem JSON."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator

import msgspec
from ionet.agent_api import Challenge, RunEvent, Spec, Stop
from ionet.rules import merkle
from ionet.rules.lease_time import LeaseStatus, LeaseView
from solders.signature import Signature
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ionet_agent import processes
from ionet_agent.auth import DeniedError, Gate
from ionet_agent.chain import ChainError
from ionet_agent.journal import Journal
from ionet_agent.providers.base import BusyError, ProviderError
from ionet_agent.providers.local import LocalProvider
from ionet_agent.report import Report

MAX_BODY = 64 * 1024
MAX_SCRIPT = 1024 * 1024
MAX_DRIVERS = 4
_TITLES = {401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed", 409: "Conflict"}
_TITLES |= {413: "Too large", 422: "Invalid", 429: "Too many", 503: "Unavailable"}


class Api:
    """Handlers over one node's provider and journal."""

    def __init__(self, gate: Gate, journal: Journal, provider: LocalProvider, report: Report) -> None:
        self._gate, self._journal, self._provider, self._report = gate, journal, provider, report
        self._drivers = asyncio.Semaphore(MAX_DRIVERS)

    def app(self) -> Starlette:
        routes = [
            Route("/v1/status", self.status, methods=["GET"]),
            Route("/v1/report", self.report, methods=["GET"]),
            Route("/v1/start", self.start, methods=["POST"]),
            Route("/v1/stop", self.stop, methods=["POST"]),
            Route("/v1/challenge", self.challenge, methods=["POST"]),
            Route("/v1/credentials", self.credentials, methods=["GET"]),
            Route("/v1/run", self.run, methods=["POST"]),
        ]
        handlers = {
            DeniedError: lambda _, error: problem(error.status, str(error)),
            BusyError: lambda _, error: problem(409, str(error)),
            ProviderError: lambda _, error: problem(409, str(error)),
            ChainError: lambda _, error: problem(503, f"no answer from the chain: {error}"),
            msgspec.DecodeError: lambda _, error: problem(422, str(error)),
            ClientDisconnect: lambda *_: problem(400, "the request was not sent to its end"),
            HTTPException: lambda _, error: problem(error.status_code, error.detail),
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def status(self, request: Request) -> Response:
        lease, _, _ = await self._authorize(request, 0)
        silent = self._journal.unchallenged(str(lease.address))
        return _json(msgspec.structs.replace(await self._provider.status(), unchallenged=silent))

    async def report(self, request: Request) -> Response:
        await self._authorize(request, 0)
        return _json(self._report)

    async def start(self, request: Request) -> Response:
        lease, now, body = await self._authorize(request, MAX_BODY)
        spec = msgspec.json.decode(body, type=Spec)
        _require_same(lease, spec.lease)
        if spec.cluster != str(lease.cluster) or spec.processors != lease.processors:
            raise HTTPException(409, "the lease is of another cluster or size")
        if not lease.runs_at(now):
            raise HTTPException(409, "the lease is over")
        return _json(await self._provider.start(spec))

    async def stop(self, request: Request) -> Response:
        lease, now, body = await self._authorize(request, MAX_BODY)
        _require_same(lease, msgspec.json.decode(body, type=Stop).lease)
        if lease.status is LeaseStatus.ACTIVE and lease.runs_at(now):
            # Or a renter could make the node miss intervals and have it slashed for them.
            raise HTTPException(409, "the meter runs: end the lease on the chain")
        if lease.started_at:
            # The agent ends it at its next look, once it has noted the last seconds for their proof.
            return _json(await self._provider.status())
        return _json(await self._provider.stop(str(lease.address)))

    async def challenge(self, request: Request) -> Response:
        lease, _, body = await self._authorize(request, MAX_BODY)
        challenge = msgspec.json.decode(body, type=Challenge)
        _require_same(lease, challenge.lease)
        if not 0 <= challenge.interval < lease.intervals():
            raise HTTPException(422, "the lease has no such interval")
        try:
            signature = Signature.from_bytes(bytes.fromhex(challenge.signature))
        except ValueError:
            raise HTTPException(422, "a signature is 64 bytes in hex") from None
        if not signature.verify(lease.session_key, merkle.challenge_message(bytes(lease.address), challenge.interval)):
            raise HTTPException(422, "the session key did not sign this challenge")
        self._journal.put_challenge(str(lease.address), challenge.interval, bytes(signature))
        return Response(status_code=204)

    async def credentials(self, request: Request) -> Response:
        lease, _, _ = await self._authorize(request, 0)
        spec = self._provider.spec
        if spec is None or spec.lease != str(lease.address):
            raise HTTPException(404, "no member of this lease was started here")
        return _json(spec)

    async def run(self, request: Request) -> Response:
        _, _, script = await self._authorize(request, MAX_SCRIPT)
        if self._drivers.locked():
            raise HTTPException(429, f"{MAX_DRIVERS} drivers run already")
        await self._drivers.acquire()
        try:
            child = await self._provider.run_driver(script)
        except BaseException:
            self._drivers.release()
            raise
        return StreamingResponse(self._follow(child), media_type="application/x-ndjson")

    async def _follow(self, child: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
        """Output of a driver as lines of RunEvent; when the reader goes away the driver ends."""
        assert child.stdout is not None
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        try:
            while part := await child.stdout.read(65536):
                yield _line(RunEvent(output=decoder.decode(part)))
            yield _line(RunEvent(exit_code=await child.wait()))
        finally:
            if child.returncode is None:
                processes.end_group(child.pid)
            self._drivers.release()

    async def _authorize(self, request: Request, limit: int) -> tuple[LeaseView, int, bytes]:
        lease, now = await self._gate.lease_for(request.headers)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise HTTPException(413, f"at most {limit} bytes")
        self._gate.check(request.headers, request.method, request.url.path, bytes(body))
        return lease, now, bytes(body)


def problem(status: int, detail: str) -> Response:
    """An error as RFC 9457 wants it."""
    content = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    return Response(msgspec.json.encode(content), status, media_type="application/problem+json")


def _require_same(lease: LeaseView, named: str) -> None:
    if named != str(lease.address):
        raise HTTPException(409, "the node serves another lease")


def _json(value: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _line(event: RunEvent) -> bytes:
    return msgspec.json.encode(event) + b"\n"
