"""The node agent's HTTP API: its messages, and a client.

Both sides prove their keys in the TLS handshake (`ionet.agent_tls`): the agent the node's device key, the caller the
session key of the cluster that the node serves, or a key that its renter's wallet names (`ionet.agent_delegation`). The
API has no shared secrets and takes no identity on trust.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.agent_delegation import DELEGATION_HEADER, Delegated
from ionet.agent_errors import AgentError, AgentUnreachable, BadAnswer, OtherKey, one_line, refusal_of
from ionet.agent_ports import Ports, host_port
from ionet.agent_tls import calling_context
from ionet.errors import InvalidInput, reason_of
from ionet.isolation import Isolation
from ionet.overlay import Network, Offer
from ionet.relay_name import sni_of

_CONNECT_SECS = 2.0
# Connections to one agent that are kept open.
_KEPT = 2
ANSWER_SECS = 15.0
"""A call is over after this many seconds in total, however its answer trickles in."""
MAX_STATUS, MAX_ANSWER = 16 * 1024, 256 * 1024
"""Bytes of a status and of any other answer: a hardware report of the largest machines has a tenth of it."""
MAX_LINE = 1024 * 1024
"""Bytes of one line of a driver's stream. Agents send what they read at once, at most 64 KiB; as JSON it may be six
times as long."""
MAX_ALARMS = 16
"""Alarms of a status that are kept; an agent has fewer."""
T = TypeVar("T")
Urls = str | tuple[str, ...]
"""Where an agent is reached, the best first: https://host:port of its own, or of relays that lead to it."""


class Role(StrEnum):
    HEAD = "head"
    WORKER = "worker"


class Phase(StrEnum):
    IDLE = "idle"
    STARTING = "starting"
    UP = "up"
    FAILED = "failed"


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a member of a Ray cluster needs to start. Holds secrets: never logged, on disk only with mode 0600."""

    lease: str
    """Address of the lease the member serves (base58)."""
    cluster: str
    role: Role
    address: str
    """host:port of the head's control store; for the head its own."""
    processors: int
    token: str
    ca: str
    certificate: str
    key: str

    def same_member(self, other: Spec) -> bool:
        """True when both mean the same member; certificates differ each time and do not count."""
        blank = {"ca": "", "certificate": "", "key": ""}
        return msgspec.structs.replace(self, **blank) == msgspec.structs.replace(other, **blank)

    def has_moved(self, to: Spec) -> bool:
        """True when both mean the same worker, but it is to join another head."""
        here = msgspec.structs.replace(to, address=self.address)
        return self.role is Role.WORKER and self.address != to.address and self.same_member(here)


class Status(msgspec.Struct, frozen=True):
    """State of the one Ray node a machine runs."""

    phase: Phase
    address: str
    """host:port at which the node serves when it is the head."""
    ip: str
    lease: str | None = None
    since: float | None = None
    """Unix seconds at which the running Ray process started."""
    reason: str | None = None
    """For `failed`: why, in one line."""
    unchallenged: int = 0
    """How many of the lease's proven intervals had no challenge; the agent leaves at two of the last eight."""
    check_secs_left: float | None = None
    """Before the lease is accepted: seconds for which the agent still lets a member run. None afterwards."""
    alarms: list[str] = []
    """What is wrong with the agent now, in one line each."""
    check: str | None = None
    """host:port at which the member answers the hardware check, at its own ip; None where none runs."""
    isolation: Isolation | None = None
    """How renters' code is kept apart on this machine, and within which limits."""
    network: Offer | None = None
    """How the node can be joined to the network of its cluster; None where clusters stay on one machine."""
    isolation_reason: str | None = None
    """Why renters' code is not kept apart better on this machine."""
    idle_secs: float | None = None
    """For how long nobody has been connected to the member, and no job has run in it; None where none runs."""
    joins: str | None = None
    """host:port of the head that its member was told to join; None where none runs."""


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session key's signature over one interval of one lease; becomes leaf 0 of the interval's proof."""

    lease: str
    interval: int
    signature: str
    """64 bytes in hex."""


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lease: str


class RunEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a driver's stream: a piece of its output or, last, its exit code."""

    output: str | None = None
    exit_code: int | None = None


class AgentClient:
    """Talks to the agent at `urls` that holds `device`, the device key that the chain names for its node, as `caller`:
    a session key, or what a renter's wallet has delegated to. node: whom relays are asked for. A context manager.

    Where nobody with that key can be connected to, the next URL is tried, and kept while it works. The agent is not
    trusted: every call has one deadline in total, `answer_secs`, and a limit to what it reads. `ports`: of its member.
    Every method raises AgentRefused, as the class that the agent names, AgentUnreachable or BadAnswer; the constructor
    raises InvalidInput for a URL that is not an agent's.
    """

    def __init__(
        self,
        urls: Urls,
        device: Pubkey,
        caller: Keypair | Delegated,
        *,
        node: Pubkey | None = None,
        answer_secs: float = ANSWER_SECS,
    ) -> None:
        self._answer_secs = answer_secs
        self._urls = [agent_url(url).rstrip("/") for url in ([urls] if isinstance(urls, str) else urls)]
        self._at = 0
        # Asks for the node by name: where a relay is at the URL, it leads there.
        self._extensions = {} if node is None else {"sni_hostname": sni_of(node)}
        key, delegation = caller if isinstance(caller, Delegated) else (caller, None)
        self.ports = Ports(self._urls, device, key, node, delegation)
        # What is read is what was sent: a compressed answer could be a thousand times its size.
        headers = {"accept-encoding": "identity"}
        if delegation is not None:
            headers[DELEGATION_HEADER] = delegation
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECS),
            headers=headers,
            limits=httpx2.Limits(max_keepalive_connections=_KEPT),
            trust_env=False,
            verify=calling_context(device, key),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def status(self) -> Status:
        """State of the node; answered for any lease's keys, so that a head's address is known before it starts."""
        return _believable(decoded(await self._request("GET", "/v1/status", most=MAX_STATUS), Status))

    async def report(self) -> bytes:
        """The hardware report (`ionet.check.report`), whose sha256 went on the chain with the node's readiness."""
        return await self._request("GET", "/v1/report")

    async def network(self, network: Network) -> None:
        """Join the cluster's network, or learn of its other members; before `start`, which begins nothing outside."""
        await self._request("POST", "/v1/network", network)

    async def start(self, spec: Spec) -> Status:
        """Start a member, or a worker again under another head; the same request again changes nothing."""
        return _believable(decoded(await self._request("POST", "/v1/start", spec, most=MAX_STATUS), Status))

    async def stop(self, lease: str) -> Status:
        """Stop the member of `lease` and remove its files; a metered one ends by itself when its lease is over."""
        return _believable(decoded(await self._request("POST", "/v1/stop", Stop(lease), most=MAX_STATUS), Status))

    async def challenge(self, challenge: Challenge) -> None:
        """Hand over the signature for one interval."""
        await self._request("POST", "/v1/challenge", challenge)

    async def credentials(self) -> Spec:
        """Address, token and certificates of the running cluster."""
        return decoded(await self._request("GET", "/v1/credentials"), Spec)

    async def run(
        self, script: bytes, *, within_secs: float | None = None, most: int | None = None
    ) -> AsyncGenerator[RunEvent]:
        """Run a Python driver beside the head and follow it; closing the iterator ends the driver.

        within_secs: for all of it, start to end; most: bytes of all its lines. None: no limit, though the driver has
        to begin in time, and its lines are limited.
        """
        clock = asyncio.get_running_loop().time
        begin_by = clock() + self._answer_secs
        end_by = None if within_secs is None else clock() + within_secs
        try:
            async with asyncio.timeout_at(begin_by if end_by is None else min(begin_by, end_by)):
                response = await self._begin("POST", "/v1/run", script)
            lines = _lines(response, most)
            try:
                # Not around the loop: the time limit would then end what the caller does between two lines.
                while (line := await _next(lines, end_by)) is not None:
                    yield decoded(line, RunEvent)
            finally:
                await lines.aclose()
                await response.aclose()
        except TimeoutError:
            raise AgentUnreachable("the driver's output did not end in time") from None
        except _TRANSPORT as error:
            raise _unreachable(error) from error

    async def _request(
        self, method: str, path: str, body: msgspec.Struct | None = None, *, most: int = MAX_ANSWER
    ) -> bytes:
        content = msgspec.json.encode(body) if body is not None else b""
        try:
            async with asyncio.timeout(self._answer_secs):
                response = await self._begin(method, path, content)
                try:
                    return await _all_of(response, most)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise AgentUnreachable(f"no whole answer within {self._answer_secs:g} s") from None
        except _TRANSPORT as error:
            raise _unreachable(error) from error

    async def _begin(self, method: str, path: str, content: bytes) -> httpx2.Response:
        """An answer whose body is still to be read, and which has to be closed. Raises what the agent refuses with."""
        response = await self._send(method, path, content)
        if response.is_success:
            return response
        raise await _refusal(response)

    async def _send(self, method: str, path: str, content: bytes) -> httpx2.Response:
        """To the first of the URLs that connects, beginning with the one that did last."""
        for left in reversed(range(len(self._urls))):
            url, extensions = self._urls[self._at] + path, self._extensions
            request = self._http.build_request(method, url, content=content, extensions=extensions)
            try:
                return await self._http.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):  # so the agent has seen nothing of the request
                self._at = (self._at + 1) % len(self._urls)
                if not left:
                    raise
        raise AgentUnreachable("it names no address")


# A server may also send what is not HTTP, or end a stream in its middle.
_TRANSPORT = (httpx2.HTTPError, httpx2.StreamError, OSError)


def _unreachable(error: BaseException) -> AgentUnreachable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return OtherKey()
        cause = cause.__cause__ or cause.__context__
    return AgentUnreachable(reason_of(error))


def agent_url(text: str) -> str:
    """The URL of an agent. Raises InvalidInput for any that is not https: agents speak TLS only."""
    if not text.startswith("https://"):
        raise InvalidInput(f"{one_line(text)} is not an https URL")
    return text


async def _all_of(response: httpx2.Response, most: int = MAX_STATUS) -> bytes:
    """The whole body. Raises BadAnswer as soon as it is too large."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > most:
            raise BadAnswer(f"an answer of more than {most} bytes")
    return bytes(body)


async def _refusal(response: httpx2.Response) -> AgentError:
    """What an answer that is not a success says. Closes it."""
    try:
        return refusal_of(response.status_code, await _all_of(response))
    except BadAnswer as error:
        return error
    finally:
        await response.aclose()


async def _lines(response: httpx2.Response, most: int | None) -> AsyncGenerator[bytes]:
    """Lines of a stream without their ends. Raises BadAnswer when one, or all together, are too long."""
    rest, read = bytearray(), 0
    async for part in response.aiter_raw():
        read += len(part)
        if most is not None and read > most:
            raise BadAnswer(f"a stream of more than {most} bytes")
        *whole, last = part.split(b"\n")
        for piece in whole:
            rest += piece
            if rest:
                yield bytes(rest)
            rest.clear()
        rest += last
        if len(rest) > MAX_LINE:
            raise BadAnswer(f"a line of more than {MAX_LINE} bytes")
    if rest:
        yield bytes(rest)


async def _next(lines: AsyncGenerator[bytes], until: float | None) -> bytes | None:
    """The next line, None at the end. until: on the loop's clock. Raises TimeoutError."""
    async with asyncio.timeout_at(until):
        return await anext(lines, None)


def decoded(content: bytes | str, kind: type[T]) -> T:
    """JSON of a stranger as what it should be. Raises BadAnswer."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"not a {_name(kind)}: {error}") from None
    except RecursionError:
        raise BadAnswer(f"not a {_name(kind)}: nested too deeply") from None


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)).lower()


def _believable(status: Status) -> Status:
    """The status, where what it says can be so. Raises BadAnswer.

    What it serves must be at its own ip, the only one that the node's certificate is good for.
    """
    try:
        ip = ipaddress.ip_address(status.ip)
    except ValueError:
        ip = None
    # What follows a % in one of IPv6 is any text at all.
    if ip is None or ip.is_unspecified or ip.is_multicast or "%" in status.ip:
        raise BadAnswer(f"ip is {one_line(status.ip)}, not an IP address")
    for name, text in (("address", status.address), ("check", status.check)):
        if text is not None and not _is_at(ip, text):
            raise BadAnswer(f"{name} is {one_line(text)}, not a port at {ip}")
    if status.joins is not None:
        host_port(status.joins)
    if status.lease is not None:
        try:
            Pubkey.from_string(status.lease)
        except ValueError:
            raise BadAnswer(f"lease is {one_line(status.lease)}, not an address") from None
    if status.since is not None and not 0 <= status.since < 2**40:
        raise BadAnswer(f"since is {status.since:g}, not a time")
    if status.check_secs_left is not None and not -(2**31) < status.check_secs_left < 2**31:
        raise BadAnswer(f"check_secs_left is {status.check_secs_left:g}, not a time")
    if status.network is not None:
        status.network.checked()
    reason, why = (None if text is None else one_line(text) for text in (status.reason, status.isolation_reason))
    alarms = [one_line(alarm) for alarm in status.alarms[:MAX_ALARMS]]
    return msgspec.structs.replace(status, ip=str(ip), reason=reason, isolation_reason=why, alarms=alarms)


def _is_at(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str) -> bool:
    with contextlib.suppress(BadAnswer):
        return host_port(text)[0] == str(ip)
    return False
