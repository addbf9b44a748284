"""Every refusal of an agent reaches the renter's side as the class that it was raised as."""

from __future__ import annotations

import msgspec
import pytest
from ionet.agent_errors import BY_CODE, AgentError, AgentRefused, Problem, problem_of, refusal_of
from ionet.errors import IonetError


@pytest.mark.parametrize("kind", BY_CODE.values(), ids=BY_CODE)
@pytest.mark.parametrize("detail", ["", "why"])
def test_a_refusal_keeps_its_type_and_text(kind: type[AgentRefused], detail: str) -> None:
    raised = kind(detail)
    problem = problem_of(raised)
    arrived = refusal_of(problem.status, msgspec.json.encode(problem))
    assert type(arrived) is kind
    assert (str(arrived), arrived.status, arrived.exit_code) == (str(raised), raised.status, 4)


def test_every_class_has_a_code_of_its_own_and_a_message() -> None:
    def below(kind: type[AgentRefused]) -> list[type[AgentRefused]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    kinds = below(AgentRefused)[1:]
    assert sorted(BY_CODE) == sorted({kind.code for kind in kinds})
    assert len(BY_CODE) == len(kinds)
    assert len({kind.message() for kind in kinds}) == len(kinds)
    assert all(400 <= kind.status < 600 for kind in kinds)
    assert issubclass(AgentError, IonetError)


@pytest.mark.parametrize(
    ("status", "content", "text"),
    [
        (502, b"<html>", "the node's agent refused: HTTP 502"),
        (404, msgspec.json.encode(Problem(404, "Not Found")), "the node's agent refused: Not Found"),
        (418, msgspec.json.encode(Problem(418, "t", "of_another_version", "d")), "the node's agent refused: d"),
    ],
)
def test_an_answer_without_a_known_code_is_a_plain_refusal(status: int, content: bytes, text: str) -> None:
    error = refusal_of(status, content)
    assert (type(error), error.status, str(error)) == (AgentRefused, status, text)
    assert AgentRefused.status == 500
