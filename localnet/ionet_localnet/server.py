"""The local chain on the network: JSON-RPC over HTTP on one port, subscriptions over websocket on the next."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ionet_localnet.chain import HISTORY_LIMIT, SLOT_MS, LocalChain
from ionet_localnet.clock import WallClock
from ionet_localnet.errors import CannotListen, InvalidSetting, LocalnetError
from ionet_localnet.faults import FaultConfig, FaultPlan
from ionet_localnet.genesis import Genesis
from ionet_localnet.ledger import open_chain
from ionet_localnet.pubsub import Connection, PubSub
from ionet_localnet.rpc.dispatch import failure, handle
from ionet_localnet.rpc.node import Node
from ionet_localnet.rpc.params import RpcError

# Seconds that block production may lag behind before the missing blocks are given up (a laptop that slept).
_MAX_LAG = 5.0
_PORT_TRIES = 50
# Longer than clients' connection pools keep one: the clients must be the ones to close it.
_KEEP_ALIVE_S = 300


@dataclass(frozen=True)
class LocalnetConfig:
    """How to run a local chain."""

    host: str = "127.0.0.1"
    # Port of HTTP; 0 picks a free pair of ports.
    port: int = 0
    # Port of the websocket; None means the one after `port`, where clients look for it.
    ws_port: int | None = None
    # Folder of the journal; None keeps the chain in memory.
    ledger: Path | None = None
    # Start again with an empty ledger.
    reset: bool = False
    # None takes an existing ledger as it is.
    genesis: Genesis | None = None
    # Milliseconds between blocks.
    slot_ms: int = SLOT_MS
    # How many seconds of chain time pass in one second.
    clock_factor: float = 1.0
    # Offer the `localnet_` methods.
    cheats: bool = False
    faults: FaultConfig = field(default_factory=FaultConfig)
    # Transactions kept for reading.
    history_limit: int = HISTORY_LIMIT
    # Force every record of the journal to the disk.
    fsync: bool = False

    def __post_init__(self) -> None:
        if self.slot_ms < 1:
            raise InvalidSetting("a slot lasts at least one millisecond")
        if not self.clock_factor > 0:
            raise InvalidSetting("the clock must move forward")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process that runs the chain decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Localnet:
    """A served chain: `async with Localnet(config) as net: net.rpc_url, net.ws_url, net.chain`."""

    def __init__(self, config: LocalnetConfig | None = None) -> None:
        self.config = config or LocalnetConfig()
        self.rpc_url = ""
        self.ws_url = ""
        self._node: Node | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._server: _Server | None = None

    @property
    def node(self) -> Node:
        if self._node is None:
            raise LocalnetError("the local chain is not running")
        return self._node

    @property
    def chain(self) -> LocalChain:
        return self.node.chain

    async def start(self) -> None:
        """Bind the ports, open the ledger, begin to make blocks. Raises LocalnetError."""
        config = self.config
        sockets = _bind(config.host, config.port, config.ws_port)
        try:
            chain = _open(config)
        except BaseException:
            for listener in sockets:
                listener.close()
            raise
        clock = WallClock(chain.unix_time, config.clock_factor)
        if config.clock_factor >= 1:
            # A slower clock lags on purpose: after a restart it goes on from where it stopped.
            clock.catch_up()
        self._node = Node(chain, clock, FaultPlan(config.faults), cheats=config.cheats)
        app = _application(self._node, PubSub(self._node))
        self._server = _Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=_KEEP_ALIVE_S,
            )
        )
        self.rpc_url = f"http://{config.host}:{sockets[0].getsockname()[1]}"
        self.ws_url = f"ws://{config.host}:{sockets[1].getsockname()[1]}"
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets), name="localnet-http"),
            asyncio.create_task(self._make_blocks(self._node), name="localnet-ticker"),
        ]
        while not self._server.started:
            if self._tasks[0].done():
                await self._tasks[0]
            await asyncio.sleep(0.005)

    async def _make_blocks(self, node: Node) -> None:
        loop, interval = asyncio.get_running_loop(), self.config.slot_ms / 1000
        due = loop.time()
        while True:
            due += interval
            lag = loop.time() - due
            if lag > _MAX_LAG:
                due = loop.time()
            await asyncio.sleep(max(0.0, -lag))
            if not node.paused:
                node.tick()

    async def wait(self) -> None:
        """Run until any part of it fails, and raise that failure."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Close the ports and the ledger."""
        if self._server is None:
            return
        serving, ticker = self._tasks
        ticker.cancel()
        self._server.should_exit = True
        _, failed = await asyncio.gather(serving, ticker, return_exceptions=True)
        if self.chain.journal:
            self.chain.journal.close()
        self._server = None
        if isinstance(failed, Exception):
            raise failed

    async def __aenter__(self) -> Localnet:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _open(config: LocalnetConfig) -> LocalChain:
    if config.ledger is None:
        # A random seed, so that nobody mistakes this chain for an earlier one.
        seed = os.urandom(32)
        return LocalChain(config.genesis, slot_ms=config.slot_ms, history_limit=config.history_limit, seed=seed)
    return open_chain(
        config.ledger,
        config.genesis,
        reset=config.reset,
        slot_ms=config.slot_ms,
        history_limit=config.history_limit,
        fsync=config.fsync,
    )


def _bind(host: str, port: int, ws_port: int | None) -> list[socket.socket]:
    """Sockets for HTTP and websocket. With port 0 the pair is chosen so that the second follows the first."""
    for _ in range(_PORT_TRIES if port == 0 else 1):
        opened: list[socket.socket] = []
        wanted, option = port, "--port"
        try:
            opened.append(_listen(host, wanted))
            wanted = opened[0].getsockname()[1] + 1 if ws_port is None else ws_port
            option = "--port" if ws_port is None else "--ws-port"
            opened.append(_listen(host, wanted))
            return opened
        except (OSError, OverflowError) as error:
            for listener in opened:
                listener.close()
            failed = error
    if isinstance(failed, OSError) and failed.errno == errno.EADDRINUSE:
        raise CannotListen(f"port {wanted} is in use; choose another with {option}") from failed
    raise CannotListen(f"{host}:{wanted}: {getattr(failed, 'strerror', None) or failed}") from failed


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: asyncio switches Nagle's algorithm off only where it reads IPPROTO_TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _application(node: Node, pubsub: PubSub) -> Starlette:
    async def call(request: Request) -> Response:
        return Response(handle(node, await request.body()), media_type="application/json")

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def subscriptions(websocket: WebSocket) -> None:
        await _serve_websocket(websocket, pubsub)

    everyone = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    routes = [Route("/", call, methods=["POST"]), Route("/health", health), WebSocketRoute("/", subscriptions)]
    return Starlette(routes=routes, middleware=[everyone])


async def _serve_websocket(websocket: WebSocket, pubsub: PubSub) -> None:
    await websocket.accept()
    connection = Connection()
    writer = asyncio.create_task(_write(websocket, connection))
    try:
        while True:
            _answer(pubsub, connection, await websocket.receive_text())
    except WebSocketDisconnect:
        pass
    finally:
        pubsub.disconnect(connection)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


def _answer(pubsub: PubSub, connection: Connection, text: str) -> None:
    request_id = None
    try:
        message = msgspec.json.decode(text)
        request_id = message.get("id") if isinstance(message, dict) else None
        pubsub.request(connection, message)
    except msgspec.DecodeError:
        connection.send(failure(None, RpcError(-32700, "Parse error")))
    except RpcError as error:
        connection.send(failure(request_id, error))


async def _write(websocket: WebSocket, connection: Connection) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while not (connection.overrun and connection.queue.empty()):
            message = await connection.queue.get()
            await websocket.send_text(msgspec.json.encode(message).decode())
        await websocket.close(code=1013, reason="too slow: notifications were lost")
