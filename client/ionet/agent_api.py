"""The node agent's HTTP API: its messages, how a request is signed, and a client.

A caller signs with a key the chain knows for the node's current lease: the cluster's session key (launcher) or the
renter's wallet. A signature covers the node, the method and path, the body, a nonce and an expiry, so that it is good
for one request to one node, once. The API has no shared secrets and takes no identity on trust.
"""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import AsyncGenerator
from enum import StrEnum
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import Self

import httpx2
import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.agent_errors import AgentUnreachable, refusal_of

MAX_LIFETIME_SECS = 60
NONCE_LEN = 16
KEY_HEADER, NONCE_HEADER = "ionet-key", "ionet-nonce"
EXPIRES_HEADER, SIGNATURE_HEADER = "ionet-expires", "ionet-signature"
_DOMAIN = b"ionet:agent-request:v1\0"
_CONNECT_SECS, _ANSWER_SECS = 2.0, 30.0


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


def signing_message(node: Pubkey, method: str, path: str, body: bytes, nonce: bytes, expires: int) -> bytes:
    """The bytes a request's signature covers. Every part has a fixed length."""
    target = sha256(f"{method} {path}".encode()).digest()
    return _DOMAIN + bytes(node) + target + nonce + expires.to_bytes(8, "little") + sha256(body).digest()


def sign_request(key: Keypair, node: Pubkey, method: str, path: str, body: bytes) -> dict[str, str]:
    """Headers that make a request valid for half a minute, once."""
    nonce, expires = secrets.token_bytes(NONCE_LEN), int(time.time()) + MAX_LIFETIME_SECS // 2
    signature = key.sign_message(signing_message(node, method, path, body, nonce, expires))
    return {
        KEY_HEADER: str(key.pubkey()),
        NONCE_HEADER: nonce.hex(),
        EXPIRES_HEADER: str(expires),
        SIGNATURE_HEADER: bytes(signature).hex(),
    }


class AgentClient:
    """Talks to the agent of `node` at `url` (http://host:port), signing with `key`. An async context manager.

    Every method raises AgentRefused, as the class that the agent names, or AgentUnreachable.
    """

    def __init__(self, url: str, node: Pubkey, key: Keypair) -> None:
        self._node, self._key = node, key
        timeout = httpx2.Timeout(_ANSWER_SECS, connect=_CONNECT_SECS)
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout, trust_env=False, verify=_trusted())

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
        return msgspec.json.decode(await self._request("GET", "/v1/status"), type=Status)

    async def report(self) -> dict[str, object]:
        """The hardware report whose hash went on the chain with the node's readiness."""
        return msgspec.json.decode(await self._request("GET", "/v1/report"), type=dict[str, object])

    async def start(self, spec: Spec) -> Status:
        """Start a member; the same request again changes nothing."""
        return msgspec.json.decode(await self._request("POST", "/v1/start", spec), type=Status)

    async def stop(self, lease: str) -> Status:
        """Stop the member of `lease` and remove its files; a metered one ends by itself when its lease is over."""
        return msgspec.json.decode(await self._request("POST", "/v1/stop", Stop(lease)), type=Status)

    async def challenge(self, challenge: Challenge) -> None:
        """Hand over the signature for one interval."""
        await self._request("POST", "/v1/challenge", challenge)

    async def credentials(self) -> Spec:
        """Address, token and certificates of the running cluster."""
        return msgspec.json.decode(await self._request("GET", "/v1/credentials"), type=Spec)

    async def run(self, script: bytes) -> AsyncGenerator[RunEvent]:
        """Run a Python driver beside the head and follow it; closing the iterator ends the driver."""
        headers = sign_request(self._key, self._node, "POST", "/v1/run", script)
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECS)
        try:
            stream = self._http.stream("POST", "/v1/run", content=script, headers=headers, timeout=timeout)
            async with stream as response:
                if response.is_error:
                    raise refusal_of(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    yield msgspec.json.decode(line, type=RunEvent)
        except httpx2.TransportError as error:
            raise AgentUnreachable(str(error) or type(error).__name__) from error

    async def _request(self, method: str, path: str, body: msgspec.Struct | None = None) -> bytes:
        content = msgspec.json.encode(body) if body is not None else b""
        headers = sign_request(self._key, self._node, method, path, content)
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
        except httpx2.TransportError as error:
            raise AgentUnreachable(str(error) or type(error).__name__) from error
        if response.is_error:
            raise refusal_of(response.status_code, response.content)
        return response.content


@cache
def _trusted() -> ssl.SSLContext:
    """Certificates of the system, read once: it takes 30 ms, and a launcher has a client for each of its nodes."""
    return httpx2.create_ssl_context()
