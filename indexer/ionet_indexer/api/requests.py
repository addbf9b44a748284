"""What holds for every request, whatever it asks for: known parameters, each once, no zero bytes; HEAD as GET."""

from __future__ import annotations

from typing import Any, cast

from litestar import Request
from litestar.exceptions import ValidationException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from ionet_indexer import metrics
from ionet_indexer.core.refusals import BadValue

_NOT_ASKED = {"request", "data"}  # of a handler's arguments, those that no query sets


def check_parameters(request: Request[Any, Any, Any]) -> None:
    """A misspelt filter must not look like an answer to the question, nor the second of two like both.

    No text that PostgreSQL cannot hold goes further than here.
    """
    handler = request.route_handler
    known = set(handler.parsed_fn_signature.parameters) - set(handler.resolve_dependencies()) - _NOT_ASKED
    given = [name for name, _ in request.query_params.multi_items()]
    if unknown := sorted(set(given) - known | set(given) & set(request.path_params)):
        raise ValidationException(f"unknown parameter: {', '.join(unknown)}")
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise ValidationException(f"given more than once: {', '.join(repeated)}")
    values = [*request.query_params.multi_items(), *request.path_params.items()]
    if broken := sorted(name for name, value in values if "\0" in str(value)):
        raise BadValue(f"a zero byte in {', '.join(broken)}")


async def count_requests(message: Message, scope: Scope) -> None:
    """Metrics by route, not by path, so that addresses do not become labels."""
    if message["type"] == "http.response.start":
        metrics.REQUESTS.labels(scope.get("path_template", "none"), str(message["status"])).inc()


def answer_head(app: ASGIApp) -> ASGIApp:
    """HEAD is GET without the body. A stream has no end, so it ends with its headers."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD":
            await app(scope, receive, send)
            return
        answered = False

        async def headers_only(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                answered = True

        async def gone() -> Any:
            return {"type": "http.disconnect"} if answered else await receive()

        asked = cast(HTTPScope, {**scope, "method": "GET"})
        await app(asked, gone, headers_only)

    return call
