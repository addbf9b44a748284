"""Caches of answers: an answer is named by the version of the database it was read from, not by its bytes.

`slot` in an answer moves with every block. What a client may go on showing does not, so an unchanged answer is a 304.
A name belongs to its request: nobody was told one for what is an error, so a 304 by its name alone hides no error.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import zstandard
from ionet.places import Turns
from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.compression.facade import CompressionFacade
from litestar.types import HTTPResponseStartEvent, Message, Scope

from ionet_indexer.api.limits import SharedReader
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.reader import Reader, Snapshot, State

_ETAG = "ionet_etag"
_FORM = version("ionet")  # another version may answer in another form
_ZSTD_LEVEL = 3


class Unchanged(Exception):
    """What the client has is still the answer."""


def etag(state: State, target: str) -> str:
    """Changes with everything an answer may tell: rows, and whether the newest event is final.

    target: path and query of the request.
    """
    final = min(state.finalized_slot, slot_of(max(state.position, 0)))
    asked = hashlib.blake2b(target.encode(), digest_size=8).hexdigest()
    return f'W/"{_FORM}-{state.position}-{state.undo}-{state.changes}-{final}-{asked}"'


class AskedReader(SharedReader):
    """A Reader for one request: it names the answer, and stops where the client has it already."""

    def __init__(self, reader: Reader, turns: Turns, request: Request[Any, Any, Any], pages: frozenset[str]) -> None:
        super().__init__(reader, turns, request.scope, pages)
        self._request = request

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """See Reader. Raises Unchanged."""
        async with super().snapshot() as snapshot:
            self._name(snapshot.state)
            yield snapshot

    async def state(self) -> State:
        """See Reader. Raises Unchanged."""
        state = await super().state()
        self._name(state)
        return state

    def _name(self, state: State) -> None:
        scope = self._request.scope
        target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
        name = scope["state"][_ETAG] = etag(state, target)
        known = self._request.headers.get("if-none-match", "")
        if name.removeprefix("W/") in {each.strip().removeprefix("W/") for each in known.split(",")}:
            raise Unchanged


def on_unchanged(_: Request[Any, Any, Any], __: Unchanged) -> Response[None]:
    """304: no body, the same name."""
    return Response(None, status_code=304)


def any_will_do(scope: Scope) -> bool:
    """Whether a client asks for nothing new, whatever it has: `If-None-Match: *`."""
    if scope["type"] != ScopeType.HTTP or scope["method"] not in {"GET", "HEAD"}:
        return False
    return [value.strip() for name, value in scope["headers"] if name == b"if-none-match"] == [b"*"]


def make_unchanged(start: HTTPResponseStartEvent, scope: Scope) -> bool:
    """Make an answer that has a name a 304, and say whether it has."""
    if start["status"] != 200 or _ETAG not in scope["state"]:
        return False
    start["status"] = 304
    headers = MutableScopeHeaders(start)
    for name in ("content-length", "content-type", "content-encoding", "content-disposition"):
        if name in headers:
            del headers[name]
    return True


async def name_answer(message: Message, scope: Scope) -> None:
    """`ETag` and `Cache-Control`: ask again each time, and get no body where nothing changed."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders(message)
    named = scope["state"].get(_ETAG)
    if named is not None and message["status"] in (200, 304):
        headers["ETag"] = named
        headers.setdefault("Cache-Control", "public, no-cache")
        headers.setdefault("Vary", "Accept-Encoding")
    else:
        headers.setdefault("Cache-Control", "no-store")


class Zstd(CompressionFacade):
    """zstd for Litestar's compression."""

    encoding = "zstd"

    def __init__(self, buffer: Any, compression_encoding: Any, config: Any) -> None:  # noqa: ARG002 - Litestar's form
        self._writer: Any = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(buffer, closefd=False)

    def write(self, body: bytes, final: bool = False) -> None:  # noqa: ARG002 - Litestar's form
        """Compress a part."""
        self._writer.write(body)

    def close(self) -> None:
        """End the frame."""
        self._writer.close()
