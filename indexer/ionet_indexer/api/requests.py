"""What holds for every request, whatever it asks for: known parameters, each once, plain text; HEAD as GET.

What is compressed is what the client reads, and never compressed again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import ValidationException
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from ionet_indexer import metrics
from ionet_indexer.api.caching import any_will_do, make_unchanged
from ionet_indexer.api.problems import allowed
from ionet_indexer.core.refusals import BadValue

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORMS = {int: re.compile(r"-?(?:0|[1-9][0-9]*)"), bool: re.compile("true|false")}
_ACCEPT_ENCODING = b"accept-encoding"
_CODINGS = ("zstd", "gzip")
_NEVER = re.compile(r"q\s*=\s*0(\.0{0,3})?")
_NOT_ASKED = {"request", "data"}  # of a handler's arguments, those that no query sets


def check_parameters(request: Request[Any, Any, Any]) -> None:
    """A misspelt filter must not look like an answer to the question, nor the second of two like both.

    No text that PostgreSQL cannot hold goes further than here, nor one that ends in a line break: `$` would pass it.
    """
    handler = request.route_handler
    known = _known(handler)
    given = [name for name, _ in request.query_params.multi_items()]
    if unknown := sorted(set(given) - set(known) | set(given) & set(request.path_params)):
        raise ValidationException(f"unknown parameter: {', '.join(unknown)}")
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise ValidationException(f"given more than once: {', '.join(repeated)}")
    if wrong := _misspelt(request, known):
        raise BadValue(f"integers are digits, booleans true or false: {', '.join(wrong)}")
    values = [*request.query_params.multi_items(), *request.path_params.items()]
    if broken := sorted(name for name, value in values if _CONTROL.search(str(value))):
        raise BadValue(f"a control character in {', '.join(broken)}")


@cache
def _known(handler: Any) -> dict[str, Any]:
    """The arguments of a handler that a query sets, by name."""
    fields = handler.parsed_fn_signature.parameters
    without = set(handler.resolve_dependencies()) | _NOT_ASKED
    return {
        name: field
        for name, field in fields.items()
        if name not in without and not isinstance(field.kwarg_definition, HeaderParameter)
    }


def _misspelt(request: Request[Any, Any, Any], fields: Mapping[str, Any]) -> list[str]:
    """Values that would be read as another: null as nothing, 1.0 and 1_0 as integers, 1 as true."""
    given = {name: value for name, value in request.query_params.multi_items() if name in fields}
    wrong = []
    for name, value in given.items():
        kinds = [kind.annotation for kind in fields[name].inner_types or (fields[name],)]
        form = next((_FORMS[kind] for kind in kinds if kind in _FORMS), None)
        if form is not None and not form.fullmatch(value):
            wrong.append(name)
    segments = request.url.path.split("/")
    return wrong + [
        name for name, value in request.path_params.items() if isinstance(value, int) and str(value) not in segments
    ]


async def count_requests(message: Message, scope: Scope) -> None:
    """Metrics by route, not by path, so that addresses do not become labels."""
    if message["type"] == "http.response.start":
        metrics.REQUESTS.labels(scope.get("path_template", "none"), str(message["status"])).inc()


async def allow_head(message: Message, scope: Scope) -> None:
    """What answers GET answers HEAD: OPTIONS says so, as 405 does."""
    if message["type"] == "http.response.start" and scope.get("method") == "OPTIONS":
        headers = MutableScopeHeaders(message)
        if "allow" in headers:
            headers["allow"] = allowed(headers["allow"])


def answer_without_body(app: ASGIApp) -> ASGIApp:
    """HEAD is GET without the body, and `If-None-Match: *` a 304 where GET is a 200 that has a name.

    What would have come is not waited for: a stream has no end.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope.get("method") == "HEAD"
        if not is_head and not any_will_do(scope):
            await app(scope, receive, send)
            return
        answered = False

        async def headers_only(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                is_known = any_will_do(scope) and make_unchanged(message, scope)
                await send(message)
                if is_head or is_known:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    answered = True
            elif not answered:
                await send(message)

        async def gone() -> Any:
            return {"type": "http.disconnect"} if answered else await receive()

        asked = cast(HTTPScope, {**scope, "method": "GET"}) if is_head else scope
        await app(asked, gone, headers_only)

    return call


def compress_as_read(app: ASGIApp) -> ASGIApp:
    """Litestar compresses where a coding's name is anywhere in `Accept-Encoding`, `zstd;q=0` too: it gets to see what
    the client reads. A Parquet file is compressed inside, and sent as it is.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            asked = b",".join(value for name, value in scope["headers"] if name == _ACCEPT_ENCODING)
            headers = [(name, value) for name, value in scope["headers"] if name != _ACCEPT_ENCODING]
            read = [] if scope["path"].endswith(".parquet") else _codings(asked.decode("latin-1"))
            more = [(_ACCEPT_ENCODING, ", ".join(read).encode())] if read else []
            scope["headers"] = headers + more  # in place: what comes before sees what routing adds to the scope
        await app(scope, receive, send)

    return call


def _codings(accepted: str) -> list[str]:
    """Those of ours that `Accept-Encoding` takes (RFC 9110, 12.5.3)."""
    weights = {}
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        weights[name.strip()] = not _NEVER.fullmatch(weight.strip())
    return [name for name in _CODINGS if weights.get(name, False)]
