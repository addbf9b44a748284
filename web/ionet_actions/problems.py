"""Refusals as RFC 9457 problem JSON: the page tells by `type` what a person can do about it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from ionet.errors import (
    ChainRefused,
    InvalidInput,
    IonetError,
    NotEnough,
    NotFound,
    RpcError,
    RpcUnreachable,
    TransactionExpired,
    WalletError,
)
from ionet.launcher_api import LauncherError
from starlette.responses import Response

from ionet_actions.enrol import NoMachine
from ionet_actions.submitted import Foreign

MEDIA_TYPE = "application/problem+json"
# The first that fits. An address of the chain's node may hold a key, so nobody but the log is told what it said.
KINDS: tuple[tuple[type[Exception], int, str, str | None], ...] = (
    (NotEnough, 422, "not-enough", None),
    (ChainRefused, 422, "refused", None),
    (TransactionExpired, 410, "expired", "it was not signed in time, and can no longer land: build it again"),
    (Foreign, 422, "foreign", None),
    (NoMachine, 404, "no-machine", None),
    (WalletError, 400, "bad-signature", None),
    (NotFound, 404, "not-found", None),
    (InvalidInput, 400, "bad-request", None),
    (LauncherError, 503, "launcher-away", "the launcher, which is to run it, does not answer"),
    (RpcUnreachable, 503, "chain-away", "the chain's node does not answer"),
    (RpcError, 502, "chain-refused", "the chain's node refuses to answer"),
    (TimeoutError, 504, "late", "the chain took too long; what was sent may still land"),
    (IonetError, 422, "refused", None),
)
_log = logging.getLogger(__name__)


def problem(status: int, kind: str, detail: str = "", headers: Any = None) -> Response:
    """kind: never changes for the same problem."""
    said = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(said), status, headers=headers, media_type=MEDIA_TYPE)


def _said(error: Exception) -> str:
    return error.detail if isinstance(error, InvalidInput) and error.detail else str(error)


def of(error: Exception) -> Response:
    """What an exception of the SDK comes to."""
    for kind, status, name, words in KINDS:
        if isinstance(error, kind):
            if words is not None:
                _log.warning("%s: %s", name, error, extra={"action": name})
            return problem(status, name, _said(error) if words is None else words)
    _log.error("a request failed", exc_info=error, extra={"action": "crash"})
    return problem(500, "internal")
