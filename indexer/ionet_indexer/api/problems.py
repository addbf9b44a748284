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
