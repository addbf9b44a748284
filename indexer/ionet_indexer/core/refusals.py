"""What the API refuses on purpose. Each becomes problem JSON (see `ionet_indexer.api.problems`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ionet.errors import IonetError


class ApiError(IonetError):
    """The request cannot be answered.

    `kind` becomes the problem's type; without a detail the problem says the sentence of the class.
    """

    status = 400
    kind = "bad-request"
    headers: Mapping[str, str] = {}


class NotFound(ApiError):
    """There is no such thing (at the slot this answer is true at)."""

    status = 404
    kind = "not-found"


class BadCursor(ApiError):
    """The cursor was not made by this list."""

    kind = "bad-cursor"


class BadValue(ApiError):
    """A parameter has the wrong form or range."""

    kind = "bad-value"


class Refused(ApiError):
    """The request is well formed, but what it claims does not hold."""

    status = 422
    kind = "refused"


class TooMuch(ApiError):
    """More than is taken at a time."""

    status = 429
    kind = "too-many-requests"

    def __init__(self, detail: str, wait: float = 1.0) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(math.ceil(wait))}


class Unavailable(ApiError):
    """Not now; what is asked for is there again in a while."""

    status = 503
    kind = "unavailable"

    def __init__(self, detail: str, wait: float) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(math.ceil(wait))}


class LengthRequired(ApiError):
    """The length of the body has to be told before it."""

    status = 411
    kind = "length-required"


class TooLarge(ApiError):
    """The body is longer than what was announced or than anything that is taken."""

    status = 413
    kind = "request-entity-too-large"


class WrongMedia(ApiError):
    """The body is of a kind that is not taken here."""

    status = 415
    kind = "unsupported-media-type"


class Unauthorized(ApiError):
    """The signature is missing, wrong, expired or used before."""

    status = 401
    kind = "unauthorized"
