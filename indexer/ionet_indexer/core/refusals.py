"""What the API refuses on purpose. Each becomes problem JSON (see `ionet_indexer.api.problems`)."""

from __future__ import annotations

from ionet.errors import IonetError


class ApiError(IonetError):
    """The request cannot be answered.

    `kind` becomes the problem's type; without a detail the problem says the sentence of the class.
    """

    status = 400
    kind = "bad-request"


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


class Unauthorized(ApiError):
    """The signature is missing, wrong, expired or used before."""

    status = 401
    kind = "unauthorized"
