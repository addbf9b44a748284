"""Every error leaves the API as RFC 9457 problem JSON: `type`, `title`, `status`, `detail`."""

from __future__ import annotations

import http
import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException

from ionet_indexer.core.connection import lost
from ionet_indexer.core.refusals import ApiError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """Body of an error answer. `type` names the kind of problem and never changes for it."""

    type: str
    title: str
    status: int
    detail: str = ""


# Status → what it means, and the types that it comes with.
KINDS: dict[int, tuple[str, ...]] = {
    400: (
        "A parameter is unknown, repeated, malformed or out of range.",
        "bad-request",
        "bad-value",
        "bad-cursor",
    ),
    401: ("Not signed by the device key, expired, or the nonce was used.", "unauthorized"),
    404: ("There is no such thing, at the slot that the answer is true at.", "not-found"),
    405: ("The path does not take this method.", "method-not-allowed"),
    411: ("The length of the body has to be announced.", "length-required"),
    413: ("The body is longer than announced, or than anything that is taken.", "request-entity-too-large"),
    415: ("The body is of another kind.", "unsupported-media-type"),
    422: ("Well formed, but what it claims does not hold.", "refused"),
    429: ("Too much at once: try again after `Retry-After`.", "too-many-requests"),
    500: ("A fault of the indexer; its log has more.", "internal"),
    503: ("The database is away, or its tables are about to be replaced: try again.", "unavailable"),
}


def name_of(status: int) -> str:
    """The name of a status in the description: `NotFound`."""
    return _phrase(status).title().replace(" ", "")


def problems() -> dict[str, Any]:
    """The schema of each status's problems, by name."""
    return {
        name_of(status): {
            "type": "object",
            "description": f"RFC 9457. {text}",
            "properties": {
                "type": {"type": "string", "enum": kinds, "description": "The kind of problem; it never changes."},
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer", "const": status, "description": "The HTTP status."},
                "detail": {"type": "string", "description": "What was wrong with this request."},
            },
            "required": ["type", "title", "status"],
        }
        for status, (text, *kinds) in KINDS.items()
    }


def example_of(status: int) -> dict[str, Any]:
    """A problem of this status."""
    text, kind, *_ = KINDS[status]
    return {"type": kind, "title": _phrase(status), "status": status, "detail": text}


def _phrase(status: int) -> str:
    return http.HTTPStatus(status).phrase


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    body = msgspec.json.encode(problem)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def on_api_error(_: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
    """What this API refuses."""
    title = http.HTTPStatus(error.status).phrase
    return _answer(Problem(error.kind, title, error.status, error.detail or error.message()), dict(error.headers))


def on_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals (validation, unknown path, method, size, rate), in the same form."""
    title = http.HTTPStatus(error.status_code).phrase
    kind = title.lower().replace(" ", "-")
    if error.status_code >= 500:
        return _answer(Problem(kind, title, error.status_code))
    detail = error.detail
    if isinstance(error.extra, list):
        named = (f"{item.get('key', '')}: {item.get('message', '')}" for item in error.extra if isinstance(item, dict))
        detail = "; ".join((detail, *named))
    headers = dict(error.headers or {})
    if isinstance(error, MethodNotAllowedException):
        headers = {"Allow": allowed(headers.get("allow", ""))}
    return _answer(Problem(kind, title, error.status_code, detail), headers)


def allowed(methods: str) -> str:
    """The methods of a path as `Allow` lists them: what answers GET answers HEAD."""
    found = {method.strip() for method in methods.split(",")}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


def on_too_deep(_: Request[Any, Any, Any], __: RecursionError) -> Response[bytes]:
    """JSON nested deeper than anything that means something here."""
    return _answer(Problem("bad-request", "Bad Request", 400, "the body is nested too deeply"))


def on_database_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The database is away: worth trying again."""
    if not lost(error):
        return on_crash(request, error)
    log.error("database error: %s", error, extra={"action": "api_database", "path": request.url.path})
    return _answer(Problem("unavailable", "Service Unavailable", 503, "the database does not answer"))


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything unforeseen: logged here, told to nobody."""
    log.error("request failed", exc_info=error, extra={"action": "api_crash", "path": request.url.path})
    return _answer(Problem("internal", "Internal Server Error", 500))
