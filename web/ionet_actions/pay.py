"""The same for wallets that ask by themselves: Solana Actions, and Solana Pay's transaction requests, which are alike.

`GET` says what it is, `POST {"account": ...}` answers a transaction that this wallet signs and sends by itself. These
routes hold nothing of a reader's, so pages of any site may ask, as the specification wants it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from ionet.errors import InvalidInput
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ionet_actions import kinds
from ionet_actions.kinds import KINDS, Asked
from ionet_actions.pace import CHAINS
from ionet_actions.prepared import Move, Prepared

VERSION = "2.4"
_IDS = {name: f"solana:{genesis[:32]}" for genesis, name in CHAINS.items()}
"""As CAIP-2 names chains."""
_LABELS = {
    "io": "IO",
    "iosd": "IOSD",
    "node": "Node",
    "nodes": "Nodes",
    "minutes": "Minutes",
    "spare": "IOSD more, to extend",
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
Enrol = Callable[[str, str], Awaitable["Handed"]]
_ENROL = "Register and stake the machine that sent you this link"


class Handed(NamedTuple):
    """A transaction in base64 that a machine has signed already, what it moves of the wallet's, and on which chain."""

    transaction: str
    moves: list[Move]
    chain: str


def routes(prepare: Prepare, enrol: Enrol, body: Body, limited: Callable[[Handler], Handler]) -> list[Route]:
    """prepare: builds and simulates. enrol: has the machine do so. body: reads a short one. limited: as often as an
    address may ask."""

    async def describe(request: Request) -> Response:
        return _json(_description(request, _kind(request)))

    async def asking(request: Request) -> Any:
        return kinds.decoded(await body(request), dict[str, Any]).get("account")

    async def introduce(request: Request) -> Response:
        return _json(_said(request, _ENROL, f"/actions/enrol?{request.url.query}", []))

    async def hand(request: Request) -> Response:
        made = await enrol(request.query_params.get("machine", ""), str(await asking(request)))
        return _json(_to_sign(_ENROL, made.transaction, made.moves), made.chain)

    async def transaction(request: Request) -> Response:
        kind, account = _kind(request), await asking(request)
        given = {**dict(request.query_params), "account": account}
        asked = kinds.read(request.path_params["kind"], msgspec.json.encode(given))
        made = await prepare(asked)
        return _json(_to_sign(kind.title(), made.transaction, made.moves), made.chain)

    return [
        Route("/actions.json", _open(_rules), methods=["GET", "OPTIONS"]),
        Route("/actions/enrol", _open(limited(introduce)), methods=["GET", "OPTIONS"]),
        Route("/actions/enrol", _open(limited(hand)), methods=["POST"]),
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
    parameters = [{"name": each, "label": _LABELS[each], "required": True} for each in missing]
    return _said(request, kind.title(), f"/actions/{name}?{query}", parameters)


def _said(request: Request, title: str, href: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    link: dict[str, Any] = {"type": "transaction", "label": title, "href": href}
    if parameters:
        link["parameters"] = parameters
    return {
        "type": "action",
        "icon": f"{_origin(request)}/static/icon.svg",
        "title": title,
        "description": f"{title}, on the open network for renting GPUs.",
        "label": title,
        "links": {"actions": [link]},
    }


def _to_sign(title: str, transaction: str, moves: Sequence[Move]) -> dict[str, str]:
    moved = ", ".join(move.amount for move in moves)
    return {"type": "transaction", "transaction": transaction, "message": f"{title}: {moved}"}


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
