"""The HTTP side. `/v1` is for pages of the same origin alone; `/actions`, which anybody's wallet asks, is in `pay`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from ionet.buckets import Buckets, whose
from ionet.cli.parsing import pubkey
from ionet.client import Client
from ionet.errors import InvalidInput, IonetError
from ionet.places import Places
from ionet.rpc import Rpc
from ionet.wallet import Watch
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ionet_actions import enrol, kinds, pay, problems
from ionet_actions.desk import LauncherDesk
from ionet_actions.enrol import Machines, Waiting
from ionet_actions.pace import Pace
from ionet_actions.prepared import Prepared, moves_of, prepare
from ionet_actions.submitted import Signed, submit

RATE, BURST = 2.0, 30
"""Requests a second and address, and at once: each asks the chain some ten things."""
MOST_AT_ONCE, MOST_OF_AN_ADDRESS = 400, 16
"""Requests that are being answered: one that is followed to its end takes more than a minute."""
BODY_BYTES, BODY_SECS = 8 << 10, 5.0
PREPARE_SECS, SUBMIT_SECS = 15.0, 90.0
_LATER_SECS = 10.0
Handler = Callable[[Request], Awaitable[Response]]


class CrossSite(IonetError):
    """another site's page asked"""


class Actions:
    """What the routes share.

    launcher: the address of its API, empty for none. rate, burst: requests per second and address, and at once.
    """

    def __init__(self, rpc: Rpc, launcher: str = "", *, rate: float = RATE, burst: int = BURST) -> None:
        self._desk = LauncherDesk(launcher)
        self._rpc, self._pace = rpc, Pace()
        self._buckets, self._places = Buckets(rate, burst), Places(MOST_AT_ONCE, MOST_OF_AN_ADDRESS)
        self._machines = Machines()

    def app(self) -> Starlette:
        routes = [
            Route("/v1/plans/{kind}", self._own(self.plan), methods=["POST"]),
            Route("/v1/transactions", self._own(self.transaction), methods=["POST"]),
            Route("/v1/machines", self._own(self.machine), methods=["POST"]),
            Route("/health", self.health),
            *pay.routes(self.prepare, self.enrol, body, self.limited),
        ]
        handlers: dict[Any, Any] = {
            HTTPException: lambda _, error: problems.problem(error.status_code, "bad-request", error.detail),
            Exception: lambda _, error: problems.of(error),
        }
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(self._pace.run(self._rpc))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def _own(self, handler: Handler) -> Handler:
        """For pages of the same origin: browsers say where a request comes from, and send JSON of another only after a
        question that nobody here answers."""

        async def answer(request: Request) -> Response:
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return problems.problem(403, "cross-site", CrossSite.message())
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return problems.problem(415, "bad-request", "send application/json")
            return await self.limited(handler)(request)

        return answer

    def limited(self, handler: Handler) -> Handler:
        """As often as an address may ask, and as much of it at once; what is refused has its problem."""

        async def answer(request: Request) -> Response:
            who = whose(request.client.host if request.client else "")
            if wait := self._buckets.take(who):
                return _too_many("too many requests from this address", wait)
            place = self._places.take(who)
            if place is None:
                return _too_many("too much of this address is under way", _LATER_SECS)
            with place:
                try:
                    return await handler(request)
                except (IonetError, TimeoutError) as error:
                    return problems.of(error)

        return answer

    async def plan(self, request: Request) -> Response:
        """A transaction to sign, and what it will move."""
        return _json(await self.prepare(kinds.read(request.path_params["kind"], await body(request))))

    async def prepare(self, asked: kinds.Kind) -> Prepared:
        """See `prepared.prepare`. Raises TimeoutError as well."""
        async with asyncio.timeout(PREPARE_SECS):
            return await prepare(self._rpc, asked, self._pace, self._desk)

    async def transaction(self, request: Request) -> Response:
        """Send one that was signed; answered once it has landed, or cannot any more."""
        signed = kinds.decoded(await body(request), Signed)
        async with asyncio.timeout(SUBMIT_SECS):
            return _json(await submit(self._rpc, signed.transaction))

    async def machine(self, request: Request) -> Response:
        """A machine that waits for its owner asks which wallet wants to be that."""
        asked = kinds.decoded(await body(request), Waiting)
        return _json(self._machines.wait(asked, request.client.host if request.client else ""))

    async def enrol(self, machine: str, account: str) -> pay.Handed:
        """What the machine has made for this wallet, and what it moves. Raises NoMachine, Foreign, InvalidInput."""
        text = await self._machines.ask(machine, account)
        client = Client(self._rpc, Watch(pubkey(account)))
        moves = await moves_of(client, enrol.read(client.program, text, account))
        return pay.Handed(text, moves, await self._pace.chain(self._rpc))

    async def health(self, _: Request) -> Response:
        """503 where the chain does not answer."""
        try:
            async with asyncio.timeout(BODY_SECS):
                slot = await self._rpc.slot()
        except (IonetError, TimeoutError) as error:
            return problems.of(error)
        return _json({"status": "ok", "slot": slot})


async def body(request: Request) -> bytes:
    """A short body that comes soon. Raises InvalidInput."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECS):
            async for part in request.stream():
                found += part
                if len(found) > BODY_BYTES:
                    raise InvalidInput(f"a request has at most {BODY_BYTES} bytes")
    except TimeoutError:
        raise InvalidInput("the request did not come in time") from None
    return bytes(found)


def _too_many(detail: str, wait: float) -> Response:
    return problems.problem(429, "too-many-requests", detail, {"retry-after": str(math.ceil(wait))})


def _json(value: Any) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)
