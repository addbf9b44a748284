"""The same for wallets that ask by themselves: Solana Actions, and Solana Pay's transaction requests, which are alike.

`GET` says what it is, `POST {"account": ...}` answers a transaction that this wallet signs and sends by itself. These
routes hold nothing of a reader's, so pages of any site may ask, as the specification wants it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import msgspec
from ionet.errors import InvalidInput
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ionet_actions import kinds
from ionet_actions.kinds import KINDS, Asked
from ionet_actions.pace import CHAINS
from ionet_actions.prepared import Prepared

VERSION = "2.4"
_IDS = {name: f"solana:{genesis[:32]}" for genesis, name in CHAINS.items()}
"""As CAIP-2 names chains."""
_LABELS = {
    "io": "IO",
    "iosd": "IOSD",
    "node": "Node",
    "nodes": "Nodes",
    "minutes": "Minutes",
    "cluster": "Cluster",
    "currency": "Currency",
}
_DEVICES = frozenset({"register"})
"""Kinds that a machine's key signs too, which a wallet elsewhere does not have."""
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET,POST,PUT,OPTIONS",
    "access-control-allow-headers": "Content-Type, Authorization, Content-Encoding, Accept-Encoding, "
    "X-Accept-Action-Version, X-Accept-Blockchain-Ids",
    "access-control-expose-headers": "X-Action-Version, X-Blockchain-Ids",
}
Handler = Callable[[Request], Awaitable[Response]]
Body = Callable[[Request], Awaitable[bytes]]
Prepare = Callable[[kinds.Kind], Awaitable[Prepared]]


def routes(prepare: Prepare, body: Body, limited: Callable[[Handler], Handler]) -> list[Route]:
    """prepare: builds and simulates. body: reads a short one. limited: as often as an address may ask."""

    async def describe(request: Request) -> Response:
        return _json(_description(request, _kind(request)))

    async def transaction(request: Request) -> Response:
        kind = _kind(request)
        try:
            account = msgspec.json.decode(await body(request), type=dict[str, Any]).get("account")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(str(error)) from None
        given = {**dict(request.query_params), "account": account}
        asked = kinds.read(request.path_params["kind"], msgspec.json.encode(given))
        made = await prepare(asked)
        moved = ", ".join(move.amount for move in made.moves)
        said = {"type": "transaction", "transaction": made.transaction, "message": f"{kind.title()}: {moved}"}
        return _json(said, made.chain)

    return [
        Route("/actions.json", _open(_rules), methods=["GET", "OPTIONS"]),
        Route("/actions/{kind}", _open(limited(describe)), methods=["GET", "OPTIONS"]),
        Route("/actions/{kind}", _open(limited(transaction)), methods=["POST"]),
    ]


async def _rules(_: Request) -> Response:
    return _json({"rules": [{"pathPattern": "/act/*", "apiPath": "/actions/*"}]})


def _open(handler: Handler) -> Handler:
    """For pages of any site; a refusal has the message that wallets show."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_CORS)
        found = await handler(request)
        if found.status_code >= 400:
            said = msgspec.json.decode(bytes(found.body), type=dict[str, Any])
            later = {name: value for name, value in found.headers.items() if name == "retry-after"}
            found = _json({"message": said.get("detail") or said["title"]}, status=found.status_code, headers=later)
        return found

    return answer


def _kind(request: Request) -> type[Asked]:
    name = request.path_params["kind"]
    if name not in KINDS or name in _DEVICES:
        raise InvalidInput(f"no action is called {name!r}")
    return KINDS[name]


def _description(request: Request, kind: type[Asked]) -> dict[str, Any]:
    name = request.path_params["kind"]
    fields = [each for each in kind.__struct_fields__ if each not in Asked.__struct_fields__]
    given = dict(request.query_params)
    missing = [each for each in fields if each not in given]
    query = "&".join(f"{each}={quote(given[each], safe='') if each in given else '{' + each + '}'}" for each in fields)
    link: dict[str, Any] = {"type": "transaction", "label": kind.title(), "href": f"/actions/{name}?{query}"}
    if missing:
        link["parameters"] = [{"name": each, "label": _LABELS[each], "required": True} for each in missing]
    return {
        "type": "action",
        "icon": f"{_origin(request)}/static/icon.svg",
        "title": kind.title(),
        "description": f"{kind.title()}, on the open network for renting GPUs.",
        "label": kind.title(),
        "links": {"actions": [link]},
    }


def _origin(request: Request) -> str:
    """Of the pages, as whoever asks sees them."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    return f"{scheme}://{host}"


def _json(value: Any, chain: str = "", *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    said = {"x-action-version": VERSION, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    if chain in _IDS:
        said["x-blockchain-ids"] = _IDS[chain]
    return Response(
        msgspec.json.encode(value), status, headers={**_CORS, **said, **(headers or {})}, media_type="application/json"
    )
