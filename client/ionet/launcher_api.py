"""A launcher's HTTP API: what became of a cluster, for everybody to read, and a client.

It shows what the launcher noted, and what agents told it: nothing of it is proven. What the chain has is read from the
chain. Times are unix seconds; `until` and what a lease ends by are the chain's, the others the launcher's database's.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, TypeVar

import httpx2
import msgspec

from ionet.errors import InvalidInput, IonetError, reason_of
from ionet.patient_http import PatientClient, status_line

MEMBERS_AT_ONCE = 256
"""Members in one answer."""
MOVES_KEPT = 256
"""Moves of a cluster that a launcher remembers, the last ones."""
RUNNING, ENDED = "running", ("stopped", "failed")
"""The phase in which every meter runs; those in which a cluster is over."""
MAX_ANSWER = 4 * 1024 * 1024
_ANSWER_SECS, _MOST_PAGES = 20.0, 1_000
T = TypeVar("T")


class LauncherError(IonetError):
    """the launcher does not answer as it should"""

    exit_code = 4


class UnknownCluster(IonetError):
    """the launcher does not know this cluster"""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal as RFC 9457 problem JSON. type: the kind of problem, which never changes for it."""

    type: str
    title: str
    status: int
    detail: str = ""


class Launcher(msgspec.Struct, frozen=True):
    """session_key: the address that clusters name for this launcher. lamports: what it had last to pay fees with;
    warning: that this is little. Both are None where it is not known, the second also where it is enough.

    advert, signature: what it says of itself (`ionet.launcher_advert`), None where it has not said so yet.
    """

    session_key: str
    lamports: int | None = None
    warning: str | None = None
    advert: str | None = None
    signature: str | None = None


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong with a member, and since when without a break. reason: a code of docs/launcher.md."""

    reason: str
    detail: str
    since: int


class Check(msgspec.Struct, frozen=True):
    """What the hardware check found, and why it was not passed. fill_secs and the like: None where nothing was found.

    timed: False where no time was too long.
    """

    problem: str | None = None
    backend: str | None = None
    devices: list[str] = []
    fill_secs: float | None = None
    read_secs: float | None = None
    bytes_per_sec: float | None = None
    timed: bool = False


class Successor(msgspec.Struct, frozen=True):
    """What takes the place of a lost member. booked: whether the chain has it."""

    node: str
    lease: str
    booked: bool


class Member(msgspec.Struct, frozen=True):
    """A lease of the cluster and its node. status: of the lease, as the indexer knows it; until: when that ends.

    phase: of the node's member as its agent said last (idle, starting, up, failed). asked_at: when it was asked to
    start, None where it was not.
    """

    lease: str
    node: str
    role: str | None
    status: str
    until: int | None
    phase: str | None
    asked_at: int | None
    trouble: Trouble | None
    check: Check | None
    replaced_by: Successor | None


class ClusterStatus(msgspec.Struct, frozen=True):
    """until: when the phase ends at the latest, None where it is over. live: leases whose node has to be up.

    next: to be given as `after` for more members, None at the end.
    """

    cluster: str
    session_key: str
    phase: str
    reason: str
    detail: str
    since: int
    until: int | None
    trouble_since: int | None
    planned_at: int
    decided_at: int | None
    joined_at: int | None
    running_at: int | None
    live: int
    members: list[Member]
    next: str | None = None


class Event(msgspec.Struct, frozen=True):
    """A move of the cluster to another phase, or to another reason for being in it. number: grows."""

    number: int
    at: int
    phase: str
    reason: str
    detail: str


class Events(msgspec.Struct, frozen=True):
    """The last moves, the newest first."""

    cluster: str
    items: list[Event]


class LauncherClient:
    """Asks the launcher at `url` (http://host:port). An async context manager. Raises InvalidInput for what is no URL.

    Every method raises LauncherError, and UnknownCluster where the launcher knows none at that address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._http = PatientClient(url, base_url=url, timeout=httpx2.Timeout(_ANSWER_SECS))
        except httpx2.InvalidURL as error:
            raise InvalidInput(f"{url} is not a URL: {error}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def launcher(self) -> Launcher:
        try:
            return await self._get("/v1", Launcher)
        except UnknownCluster:
            raise LauncherError("this is not a launcher's API") from None

    async def cluster(self, cluster: object) -> ClusterStatus:
        """State of a cluster with all of its members."""
        path = f"/v1/clusters/{cluster}"
        page = found = await self._get(path, ClusterStatus)
        members = list(found.members)
        for _ in range(_MOST_PAGES):
            if page.next is None:
                return msgspec.structs.replace(found, members=members, next=None)
            page = await self._get(path, ClusterStatus, after=page.next)
            members += page.members
        raise LauncherError("its list of members has no end")

    async def events(self, cluster: object) -> list[Event]:
        """What became of a cluster, the newest first."""
        return (await self._get(f"/v1/clusters/{cluster}/events", Events)).items

    async def _get(self, path: str, kind: type[T], **query: str) -> T:
        try:
            async with (
                asyncio.timeout(_ANSWER_SECS),
                self._http.stream("GET", path, params=query, headers={"accept-encoding": "identity"}) as response,
            ):
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise LauncherError(f"an answer of more than {MAX_ANSWER} bytes")
        except TimeoutError:
            raise LauncherError(f"{self.url}: no answer within {_ANSWER_SECS:g} s") from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise LauncherError(f"{self.url}: {reason_of(error)}") from None
        if response.status_code == 404:
            raise UnknownCluster
        if not response.is_success:
            raise LauncherError(status_line(response.status_code))
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LauncherError(f"not a {kind.__name__}: {error}") from None
