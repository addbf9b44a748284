"""A cluster's network over WireGuard. The member's processes live in a network namespace that has nothing else in it.

Outer: where WireGuard's own packets leave, as root the machine's network, else one that pasta connects. Inner: the
member's, with loopback and the WireGuard interface, which keeps its socket in the outer one. A process holds each, and
every process of it carries a tag that is on disk before it starts: killing those with the tag leaves nothing, whoever
kills them, because a namespace ends with its last process and takes its interfaces with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from ionet.relay_wire import Pass
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_agent.files import write_private
from ionet_agent.overlay import tools
from ionet_agent.overlay.base import Member, OverlayFailed, Peer
from ionet_agent.overlay.leg import LegConfig, LegPeer
from ionet_agent.overlay.owners_network import rules
from ionet_agent.overlay.tools import PASTA, Backend, run, start
from ionet_agent.processes import runs, start_ticks

MTU = 1380
"""What fits into a line of 1,500 bytes with WireGuard, a relay's header and IPv6."""
_KEEPALIVE_SECS = 15
_SOCKETS = Path("/var/run/wireguard")
_READY_SECS = 15.0
# Not the owner's, which pasta would take otherwise. IPv4 alone.
_INTERNET_ADDRESS = ("-4", "--address", "198.18.0.2", "--netmask", "30", "--gateway", "198.18.0.1")

Admit = Callable[[Pubkey, int], Pass]
"""The device key's word that another key may use relays for its node, until unix seconds."""


class _Process(msgspec.Struct, frozen=True):
    pid: int
    ticks: int

    @property
    def lives(self) -> bool:
        return start_ticks(self.pid) == self.ticks


class _State(msgspec.Struct, frozen=True):
    """What is made for a lease. name: of the interface. outer: None where it is the machine's own network. device: the
    process that is the interface, None where the kernel is.
    """

    lease: str
    tag: str
    secret: str
    public: str
    name: str
    backend: Backend | None = None
    port: int = 0
    member: Member | None = None
    outer: _Process | None = None
    inner: _Process | None = None
    device: _Process | None = None
    leg: _Process | None = None
    leg_peers: tuple[tuple[str, int], ...] = ()


class WireGuard:
    """base: folder of its state. admit: of the agent, for relays. backend: None takes the best that works here."""

    def __init__(self, base: Path, admit: Admit, backend: Backend | None = None) -> None:
        self._base, self._admit, self._wanted = base, admit, backend
        self._state: _State | None = None
        with contextlib.suppress(FileNotFoundError):
            self._state = msgspec.json.decode((base / "state.json").read_bytes(), type=_State)

    async def prepare(self, lease: str) -> str:
        if self._state is None or self._state.lease != lease:
            await self.down()
            secret = (await run("wg", "genkey")).strip()
            public = (await run("wg", "pubkey", text=secret)).strip()
            self._keep(_State(lease, f"overlay-{secrets.token_hex(8)}", secret, public, f"io{secrets.token_hex(5)}"))
        assert self._state is not None
        return self._state.public

    async def up(self, member: Member, peers: Sequence[Peer]) -> str:
        await self.prepare(member.lease)
        if not self._runs(member):
            await self._end()
            try:
                await self._build(member)
            except OverlayFailed:
                await self._end()
                raise
        await self._connect(member, peers)
        return member.address

    async def latency(self, address: str) -> float:
        found = await self.latencies([address])
        if address not in found:
            raise OverlayFailed(f"{address} does not answer")
        return found[address]

    async def latencies(self, addresses: Sequence[str]) -> dict[str, float]:
        """Of those that answer. Raises OverlayFailed."""
        said = await run(*self.enter, sys.executable, "-m", "ionet_agent.overlay.rtt", *addresses)
        return msgspec.json.decode(said, type=dict[str, float])

    @property
    def lease(self) -> str | None:
        """That for which there is a key."""
        return None if self._state is None else self._state.lease

    @property
    def until(self) -> int:
        """Unix seconds for which relays have been told of it, 0 where it is not joined."""
        return 0 if self._state is None or self._state.member is None else self._state.member.until

    @property
    def network(self) -> Path | None:
        """The network namespace that is joined, None where it is not or has lost what it is made of."""
        state = self._state
        if state is None or state.inner is None or not self._stands:
            return None
        return Path(f"/proc/{state.inner.pid}/ns/net")

    @property
    def is_whole(self) -> bool:
        """Whether it is joined, and its way to relays is there too."""
        return self._stands and (self._now.leg is None or self._now.leg.lives)

    @property
    def _stands(self) -> bool:
        state = self._state
        if state is None or state.member is None or state.inner is None:
            return False
        tools.reap()
        return all(part is None or part.lives for part in (state.inner, state.outer, state.device))

    @property
    def enter(self) -> tuple[str, ...]:
        """With root's rights in the namespace where it was made without root: who enters has to drop them."""
        if self._state is None or self._state.inner is None:
            return ()
        return _enter(self._state.inner, self._state.backend, mounts=False)

    async def down(self) -> None:
        if self._state is not None:
            await self._end()
            (self._base / "state.json").unlink(missing_ok=True)
            self._state = None

    # -- inside

    @property
    def _now(self) -> _State:
        assert self._state is not None
        return self._state

    def _keep(self, state: _State) -> None:
        self._base.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._base / "state.json", msgspec.json.encode(state))
        self._state = state

    def _change(self, **fields: object) -> None:
        self._keep(msgspec.structs.replace(self._now, **fields))

    @property
    def _folder(self) -> Path:
        return self._base / self._now.tag

    def _runs(self, member: Member) -> bool:
        state = self._now
        if state.member is None or not self._stands:
            return False
        # What only relays are told changes without a new network: an extended lease ends later.
        told = {"until": member.until, "relays": member.relays, "tag": member.tag}
        return msgspec.structs.replace(state.member, **told) == member

    async def _end(self) -> None:
        """Remove what is made, but for the keys."""
        state = self._now
        await tools.end_all(state.tag)
        if state.backend is Backend.KERNEL:  # between being made and being moved it is the machine's
            with contextlib.suppress(OverlayFailed):
                await run("ip", "link", "del", state.name)
        with contextlib.suppress(OSError):
            (_SOCKETS / f"{state.name}.sock").unlink()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._change(member=None, outer=None, inner=None, device=None, leg=None, leg_peers=())

    async def _build(self, member: Member) -> None:
        backend = self._wanted or await tools.best()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = member.port or _free_port()
        self._change(backend=backend, port=port)
        if backend is Backend.PASTA:
            self._change(outer=await self._hold_outer(port))
        inner = await self._hold_inner(owned=member.internet and backend is not Backend.PASTA)
        self._change(inner=inner)
        state = self._now
        if backend is Backend.KERNEL:
            await run("ip", "link", "add", state.name, "type", "wireguard")
        else:
            self._change(device=await self._make_device(state.name))
        secret = ("private-key", "/dev/stdin", "listen-port", str(port))
        await run(*self._outside(), "wg", "set", state.name, *secret, text=state.secret)
        await run(*self._outside(), "ip", "link", "set", state.name, "netns", str(inner.pid))
        await self._inside("ip", "address", "add", f"{member.address}/32", "dev", state.name)
        await self._inside("ip", "link", "set", state.name, "mtu", str(MTU), "up")
        if member.internet:
            await self._open_internet(inner)
        self._change(member=member)

    async def _make_device(self, name: str) -> _Process:
        device = self._start("wireguard-go", *self._outside(), "wireguard-go", "-f", name)

        async def listens() -> None:
            # Not asked with wg, which removes a socket that is bound and does not listen yet, as if left by the dead.
            if not tools.listens(device.pid, f"/{name}.sock"):
                raise OverlayFailed("it does not listen yet")

        await self._ready("wireguard-go", device, listens)
        return device

    async def _hold_outer(self, port: int) -> _Process:
        """A namespace for an ordinary user, which pasta connects; WireGuard's port leads into it."""
        script = "mount -t tmpfs none /run && mkdir /run/wireguard && ip link set lo up && exec sleep infinity"
        command = ("unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script)
        outer = await self._hold(command)
        pasta = self._start("pasta", *PASTA, "-u", str(port), "-P", str(self._folder / "pasta.pid"), str(outer.pid))
        enter = _enter(outer, Backend.PASTA)
        await self._ready("pasta", pasta, lambda: _has_route(enter))
        return outer

    async def _hold_inner(self, *, owned: bool) -> _Process:
        """owned: by a user namespace of its own, without which root's pasta, which drops its rights, may not enter."""
        user = ("--user", "--map-root-user") if owned else ()
        script = "ip link set lo up && exec sleep infinity"
        return await self._hold((*self._outside(), "unshare", *user, "--net", "sh", "-c", script))

    async def _hold(self, command: Sequence[str]) -> _Process:
        process = self._start("unshare", *command)

        async def holds() -> None:
            if not runs(process.pid, "sleep"):
                raise OverlayFailed("it does not hold its namespace yet")

        await self._ready("unshare", process, holds)
        return process

    async def _open_internet(self, inner: _Process) -> None:
        """Rules first: there is no moment at which the owner's network could be reached."""
        await self._inside("nft", "-f", "-", text=await rules(self._now.name))
        spaces = ("--userns", f"/proc/{inner.pid}/ns/user", "--netns", f"/proc/{inner.pid}/ns/net")
        user = () if self._now.backend is Backend.PASTA else ("--runas", "0")
        words = (*PASTA, *user, *_INTERNET_ADDRESS, "-u", "none", "-P", str(self._folder / "internet.pid"), *spaces)
        await self._ready("pasta", self._start("pasta", *words), lambda: _has_route(self.enter))

    async def _connect(self, member: Member, peers: Sequence[Peer]) -> None:
        relayed = [peer for peer in peers if peer.endpoint is None and member.endpoint is None]
        if relayed and not member.relays:
            raise OverlayFailed("neither side can be dialled, and no relay is named")
        ports = await self._relay(member, [peer.node for peer in relayed])
        state = self._now
        lines = ["[Interface]", f"PrivateKey = {state.secret}", f"ListenPort = {state.port}"]
        for peer in peers:
            endpoint = f"127.0.0.1:{ports[peer.node]}" if peer in relayed else peer.endpoint
            lines += ["[Peer]", f"PublicKey = {peer.key}", f"AllowedIPs = {peer.address}/32"]
            if endpoint is not None:
                lines.append(f"Endpoint = {endpoint}")
            if member.endpoint is None:  # its NAT forgets who says nothing
                lines.append(f"PersistentKeepalive = {_KEEPALIVE_SECS}")
        await self._inside("wg", "syncconf", state.name, "/dev/stdin", text="\n".join(lines) + "\n")
        # A way to each of them and to nobody else, or what is sent to others would be lost without a word: programs
        # wait long for the answer of a name server.
        routes = [f"route flush dev {state.name}", *(f"route add {peer.address} dev {state.name}" for peer in peers)]
        await self._inside("ip", "-batch", "-", text="\n".join(routes) + "\n")
        self._change(member=member)

    async def _relay(self, member: Member, nodes: Sequence[str]) -> dict[str, int]:
        """Have packets for these peers go through relays; the ports on loopback that stand for them."""
        state = self._now
        known = dict(state.leg_peers)
        same = set(known) == set(nodes) and state.member == member
        if same and ((state.leg is not None and state.leg.lives) or not nodes):
            return known
        if state.leg is not None and state.leg.lives:
            tools.end(state.leg.pid)
        ports = {node: known.get(node) or _free_port() for node in nodes}
        self._change(leg=None, leg_peers=tuple(ports.items()))
        if ports:
            key = Keypair()
            admitted = self._admit(key.pubkey(), member.until)
            config = LegConfig(
                node=member.node,
                key=bytes(key).hex(),
                until=member.until,
                admitted=bytes(admitted.signature).hex(),
                tag=member.tag,
                wireguard=state.port,
                relays=list(member.relays),
                peers=[LegPeer(node, port) for node, port in ports.items()],
            )
            command = (*self._outside(mounts=False), sys.executable, "-m", "ionet_agent.overlay.leg")
            leg = self._start("leg", *command, text=msgspec.json.encode(config).decode())
            self._change(leg=leg)

            async def takes() -> None:
                if not tools.takes(leg.pid, ports.values()):
                    raise OverlayFailed("it takes no packets yet")

            # What WireGuard says into the void it says again only after five seconds.
            await self._ready("leg", leg, takes)
        return ports

    def _start(self, name: str, *words: str, text: str = "") -> _Process:
        pid = start(words, self._now.tag, self._log(name), text=text)
        return _Process(pid, start_ticks(pid) or 0)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def _ready(self, name: str, process: _Process, tried: Callable[[], Awaitable[object]]) -> None:
        """Try again until it works. Raises OverlayFailed with what was wrong last, or what the process said last."""
        deadline = time.monotonic() + _READY_SECS
        while True:
            try:
                await tried()
            except OverlayFailed as error:
                if not process.lives:
                    raise OverlayFailed(f"{name} has ended: {tools.last_line(self._log(name))}") from None
                if time.monotonic() > deadline:
                    raise OverlayFailed(f"{name} is not ready: {error.detail}") from None
                await asyncio.sleep(0.05)
            else:
                return

    def _outside(self, *, mounts: bool = True) -> tuple[str, ...]:
        outer = self._now.outer
        return () if outer is None else _enter(outer, Backend.PASTA, mounts=mounts)

    async def _inside(self, *words: str, text: str = "") -> str:
        assert self._now.inner is not None
        return await run(*_enter(self._now.inner, self._now.backend), *words, text=text)


def _enter(holder: _Process, backend: Backend | None, *, mounts: bool = True) -> tuple[str, ...]:
    """mounts: also those that have wireguard-go's socket."""
    command = ("nsenter", "--target", str(holder.pid), "--net")
    if backend is not Backend.PASTA:
        return command
    return (*command, "--user", "--preserve-credentials", *(["--mount"] if mounts else []))


async def _has_route(enter: Sequence[str]) -> None:
    if not (await run(*enter, "ip", "route", "show", "default")).strip():
        raise OverlayFailed("there is no route yet")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        tried.bind(("0.0.0.0", 0))
        return int(tried.getsockname()[1])
