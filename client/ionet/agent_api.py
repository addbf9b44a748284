"""The node agent's HTTP API: its messages, how a request is signed, and a client.

A caller signs with a key the chain knows for the node's current lease: the cluster's session key (launcher) or the
renter's wallet. A signature covers the node, the method and path, the hash of the body, a nonce and an expiry, so that
it is good for one request to one node, once. The hash is announced in a header, so that nothing but the headers is read
of a request that nobody signed. Expiry is judged by the chain's clock, which every answer states as its date. The API
has no shared secrets and takes no identity on trust.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
from collections.abc import AsyncGenerator
from enum import StrEnum
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.agent_clock import AgentClock
from ionet.agent_errors import AgentError, AgentUnreachable, BadAnswer, ClockSkewed, one_line, refusal_of
from ionet.isolation import Isolation

MAX_LIFETIME_SECS = 60
NONCE_LEN = 16
KEY_HEADER, NONCE_HEADER = "ionet-key", "ionet-nonce"
EXPIRES_HEADER, SIGNATURE_HEADER = "ionet-expires", "ionet-signature"
BODY_HEADER = "ionet-body"
"""sha256 of the body in hex."""
_DOMAIN = b"ionet:agent-request:v1\0"
_CONNECT_SECS = 2.0
# Connections to one agent that are kept open.
_KEPT = 2
ANSWER_SECS = 15.0
"""A call is over after this many seconds in total, however its answer trickles in."""
MAX_STATUS, MAX_ANSWER = 16 * 1024, 256 * 1024
"""Bytes of a status and of any other answer: a hardware report of the largest machines has a tenth of it."""
MAX_LINE = 1024 * 1024
"""Bytes of one line of a driver's stream; agents send what they read at once, at most 64 KiB."""
T = TypeVar("T")


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
    """host:port at which the member answers the hardware check; None where none runs."""
    isolation: Isolation | None = None
    """How renters' code is kept apart on this machine, and within which limits."""


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


def signing_message(node: Pubkey, method: str, path: str, body_hash: bytes, nonce: bytes, expires: int) -> bytes:
    """The bytes a request's signature covers. Every part has a fixed length; body_hash: sha256 of the body."""
    target = sha256(f"{method} {path}".encode()).digest()
    return _DOMAIN + bytes(node) + target + nonce + expires.to_bytes(8, "little") + body_hash


def sign_request(key: Keypair, node: Pubkey, method: str, path: str, body: bytes, now: float) -> dict[str, str]:
    """Headers that make a request valid for half a minute from `now` (the chain's unix seconds) on, once."""
    nonce, expires = secrets.token_bytes(NONCE_LEN), int(now) + MAX_LIFETIME_SECS // 2
    hashed = sha256(body).digest()
    signature = key.sign_message(signing_message(node, method, path, hashed, nonce, expires))
    return {
        KEY_HEADER: str(key.pubkey()),
        NONCE_HEADER: nonce.hex(),
        EXPIRES_HEADER: str(expires),
        BODY_HEADER: hashed.hex(),
        SIGNATURE_HEADER: bytes(signature).hex(),
    }


class AgentClient:
    """Talks to the agent of `node` at `url` (http://host:port), signing with `key`. An async context manager.

    The agent is not trusted: every call has one deadline in total, `answer_secs`, and a limit to what it reads.
    Every method raises AgentRefused, as the class that the agent names, AgentUnreachable or BadAnswer.
    """

    def __init__(self, url: str, node: Pubkey, key: Keypair, *, answer_secs: float = ANSWER_SECS) -> None:
        self._node, self._key, self._answer_secs, self._clock = node, key, answer_secs, AgentClock()
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECS)
        # What is read is what was sent: a compressed answer could be a thousand times its size.
        self._http = httpx2.AsyncClient(
            base_url=url,
            timeout=timeout,
            headers={"accept-encoding": "identity"},
            limits=httpx2.Limits(max_keepalive_connections=_KEPT),
            trust_env=False,
            verify=_trusted(),
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
        return _believable(_decoded(await self._request("GET", "/v1/status", most=MAX_STATUS), Status))

    async def report(self) -> bytes:
        """The hardware report (`ionet.check.report`), whose sha256 went on the chain with the node's readiness."""
        return await self._request("GET", "/v1/report")

    async def start(self, spec: Spec) -> Status:
        """Start a member; the same request again changes nothing."""
        return _believable(_decoded(await self._request("POST", "/v1/start", spec, most=MAX_STATUS), Status))

    async def stop(self, lease: str) -> Status:
        """Stop the member of `lease` and remove its files; a metered one ends by itself when its lease is over."""
        return _believable(_decoded(await self._request("POST", "/v1/stop", Stop(lease), most=MAX_STATUS), Status))

    async def challenge(self, challenge: Challenge) -> None:
        """Hand over the signature for one interval."""
        await self._request("POST", "/v1/challenge", challenge)

    async def credentials(self) -> Spec:
        """Address, token and certificates of the running cluster."""
        return _decoded(await self._request("GET", "/v1/credentials"), Spec)

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
                    yield _decoded(line, RunEvent)
            finally:
                await lines.aclose()
                await response.aclose()
        except TimeoutError:
            raise AgentUnreachable("the driver's output did not end in time") from None
        except _TRANSPORT as error:
            raise AgentUnreachable(str(error) or type(error).__name__) from error

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
            raise AgentUnreachable(str(error) or type(error).__name__) from error

    async def _begin(self, method: str, path: str, content: bytes) -> httpx2.Response:
        """An answer whose body is still to be read, and which has to be closed. Raises what the agent refuses with."""
        response = await self._send(method, path, content)
        if response.is_success:
            return response
        refusal = await _refusal(response)
        # About clocks alone: signed by the chain's, the same request is worth another try.
        if not isinstance(refusal, ClockSkewed) or not self._clock.learn(response.headers.get("date", "")):
            raise refusal
        response = await self._send(method, path, content)
        if response.is_success:
            return response
        raise await _refusal(response)

    async def _send(self, method: str, path: str, content: bytes) -> httpx2.Response:
        headers = sign_request(self._key, self._node, method, path, content, self._clock.now())
        request = self._http.build_request(method, path, content=content, headers=headers)
        return await self._http.send(request, stream=True)


# A server may also send what is not HTTP, or end a stream in its middle.
_TRANSPORT = (httpx2.HTTPError, httpx2.StreamError, OSError)


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


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"not a {_name(kind)}: {error}") from None


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)).lower()


def _believable(status: Status) -> Status:
    """The status, where what it says can be so. Raises BadAnswer.

    Its address must be at its own ip, the only one that the node's certificate is good for.
    """
    try:
        ip = ipaddress.ip_address(status.ip)
    except ValueError:
        raise BadAnswer(f"ip is {one_line(status.ip)}, not an IP address") from None
    host, _, port = status.address.rpartition(":")
    if host not in (str(ip), f"[{ip}]") or not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16):
        raise BadAnswer(f"address is {one_line(status.address)}, not a port at {ip}")
    if status.lease is not None:
        try:
            Pubkey.from_string(status.lease)
        except ValueError:
            raise BadAnswer(f"lease is {one_line(status.lease)}, not an address") from None
    if status.since is not None and not 0 <= status.since < 2**40:
        raise BadAnswer(f"since is {status.since:g}, not a time")
    if status.check_secs_left is not None and not -(2**31) < status.check_secs_left < 2**31:
        raise BadAnswer(f"check_secs_left is {status.check_secs_left:g}, not a time")
    reason = None if status.reason is None else one_line(status.reason)
    return msgspec.structs.replace(status, ip=str(ip), reason=reason)


@cache
def _trusted() -> ssl.SSLContext:
    """Certificates of the system, read once: it takes 30 ms, and a launcher has a client for each of its nodes."""
    return httpx2.create_ssl_context()
