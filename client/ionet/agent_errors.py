"""Why an agent did not do what it was asked. The agent raises these, its API names each by its code, and
`AgentClient` raises the same class again.

The first line of a class's docstring is its message, as everywhere in `ionet.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ionet.errors import IonetError


class AgentError(IonetError):
    """the node's agent did not do it"""

    exit_code = 4


class AgentUnreachable(AgentError):
    """the node's agent does not answer"""


class OtherKey(AgentUnreachable):
    """another key answers than the device key that the chain names for the node"""


class BadAnswer(AgentError):
    """the node's agent gave an answer that it cannot have meant"""


class AgentRefused(AgentError):
    """the node's agent refused

    status: of the HTTP answer. code: how the answer names the class; empty for answers that are not the agent's own.
    """

    status: int = 500
    code: str = ""

    def __init_subclass__(cls, status: int | None = None, code: str = "", **more: object) -> None:
        super().__init_subclass__(**more)
        cls.code = code
        cls.status = cls.status if status is None else status


# -- who asks


class NotEntitled(AgentRefused, status=403, code="not_entitled"):
    """the key has no right on this node's lease"""


# -- what is asked


class BadRequest(AgentRefused, status=422, code="bad_request"):
    """the request cannot be read"""


class BadChallenge(AgentRefused, status=422, code="bad_challenge"):
    """this is not a challenge of the lease"""


class BodyTooLarge(AgentRefused, status=413, code="body_too_large"):
    """the request is too large"""


class TooManyDrivers(AgentRefused, status=429, code="too_many_drivers"):
    """too many drivers run on this node"""


class BodyTooSlow(AgentRefused, status=408, code="body_too_slow"):
    """the request's body did not come in time"""


# -- what the node does


class NoMember(AgentRefused, status=404, code="no_member"):
    """no member of this lease was started here"""


class Conflict(AgentRefused, status=409, code="conflict"):
    """the node is in another state"""


class OtherLease(Conflict, code="other_lease"):
    """the node serves another lease"""


class LeaseExpired(Conflict, code="lease_expired"):
    """the lease is over"""


class MeterRuns(Conflict, code="meter_runs"):
    """the meter runs"""


class MovedAlready(Conflict, code="moved_already"):
    """the member has just joined another head"""


class CheckTimeOver(Conflict, code="check_time_over"):
    """the time to check the node before its lease is accepted is over"""


class NodeBusy(Conflict, code="node_busy"):
    """the node is taken"""


class NodeIdle(Conflict, code="node_idle"):
    """no Ray node runs here"""


class NotJoined(Conflict, code="not_joined"):
    """the node is not in its cluster's network"""


class TooManyPorts(AgentRefused, status=429, code="too_many_ports"):
    """too many connections to the member go through the agent"""


class NetworkFailed(AgentRefused, status=503, code="network_failed"):
    """the node cannot join its cluster's network"""


class ChainSilent(AgentRefused, status=503, code="chain_silent"):
    """no answer from the chain"""


class StorageFailed(AgentRefused, status=503, code="storage_failed"):
    """the node's disk or database does not take it"""


def _below(kind: type[AgentRefused]) -> Iterator[type[AgentRefused]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


BY_CODE = {kind.code: kind for kind in _below(AgentRefused)}


class Problem(msgspec.Struct, frozen=True):
    """A refusal as RFC 9457 problem JSON. `title` is the class's message, `detail` what this case adds to it."""

    status: int
    title: str
    code: str = ""
    detail: str = ""
    type: str = "about:blank"


def problem_of(error: AgentRefused) -> Problem:
    return Problem(error.status, error.message(), error.code, error.detail)


def refusal_of(status: int, content: bytes) -> AgentRefused:
    """The refusal that an answer states; a plain AgentRefused with the answer's status for a code not known here."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = Problem(status, "")
    detail, title = one_line(problem.detail), one_line(problem.title)
    kind = BY_CODE.get(problem.code)
    if kind is not None:
        return kind(detail)
    error = AgentRefused(detail or title or f"HTTP {status}")
    error.status = status
    return error


def one_line(text: str) -> str:
    """A stranger's text as one printable line of at most 200 characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
