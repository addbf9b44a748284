"""What is said of a cluster's nodes while a job is followed, by what a launcher that answers anything says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from ionet.launcher_api import ClusterStatus, LauncherError, Member, Successor, Trouble
from ionet.renting import watch
from ionet.renting.watch import NodeLost, Watch, beside, troubles
from msgspec import structs
from solders.pubkey import Pubkey

SILENT = Trouble("agent_unreachable", "connection refused", 7)


def member(lease: str, role: str, **more: object) -> Member:
    made = Member(lease, f"{lease}-node", role, "active", 9, "up", 1, None, None, None)
    return structs.replace(made, **more)


HEAD, WORKER = member("first", "head"), member("other", "worker")


def status(*members: Member, phase: str = "running", reason: str = "") -> ClusterStatus:
    return ClusterStatus("cluster", "key", phase, reason, "", 1, 9, None, 1, 1, 1, 1, len(members), list(members), None)


def test_each_change_of_a_node_is_told_once() -> None:
    seen, told = Watch(), []
    for looked in (
        [HEAD, WORKER],
        [HEAD, structs.replace(WORKER, trouble=SILENT)],
        [HEAD, structs.replace(WORKER, trouble=SILENT)],
        [HEAD, WORKER],
        [HEAD, structs.replace(WORKER, status="ended", trouble=SILENT)],
        [HEAD, structs.replace(WORKER, status="ended", replaced_by=Successor("third-node", "third", True))],
        [structs.replace(HEAD, trouble=SILENT), member("third", "worker", status="booked")],
    ):
        told += [list(seen.changes(status(*looked)))]
        assert seen.over(status(*looked)) is None
    assert told == [
        [],
        ["node other-: agent_unreachable connection refused"],
        [],
        ["node other-: well again"],
        ["node other-: its lease is ended"],
        ["node other-: its lease is ended, third- takes its place"],
        ["node first- (head): agent_unreachable connection refused", "lease other: its lease is over"],
    ]
    assert troubles(status(HEAD, structs.replace(WORKER, trouble=SILENT))) == told[1]


@pytest.mark.parametrize(
    ("looked", "why"),
    [
        (status(structs.replace(HEAD, status="ended"), WORKER), "node first- (head): its lease is ended"),
        (status(WORKER), "its node: its lease is over"),
        (status(HEAD, phase="failed", reason="head_lost"), "the cluster is failed head_lost"),
        (status(HEAD, phase="draining"), "the cluster is draining"),
        # Another node as the head is another Ray, without the job.
        (status(structs.replace(HEAD, role="worker", status="ended"), member("new", "head")), "node first-: its lease"),
    ],
)
def test_a_job_is_over_with_its_head(looked: ClusterStatus, why: str) -> None:
    seen = Watch()
    assert seen.over(status(HEAD, WORKER)) is None
    assert (seen.over(looked) or "").startswith(why)


class Launcher:
    """Answers with one after another, the last for ever; None: not at all."""

    def __init__(self, *answers: ClusterStatus | None) -> None:
        self._answers = list(answers)

    async def cluster(self, _: object) -> ClusterStatus:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            raise LauncherError("no answer")
        return answer


async def forever() -> int:
    await asyncio.Event().wait()
    return 0


async def following(work: Sequence[int], *answers: ClusterStatus | None) -> tuple[int, list[str]]:
    """work: the code that the job ends with, if it does."""
    told: list[str] = []

    async def ends() -> int:
        return work[0] if work else await forever()

    return await beside(Launcher(*answers), Pubkey.default(), ends(), told.append), told  # type: ignore[arg-type]


async def test_what_is_followed_ends_with_the_job_or_with_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECS", "_GRACE_SECS", "_SILENT_SECS"):
        monkeypatch.setattr(watch, name, 0.01)
    assert await following([3], status(HEAD)) == (3, [])
    with pytest.raises(NodeLost, match=r"and the job with it: node first- \(head\): its lease is ended"):
        await following([], status(HEAD), None, None, status(structs.replace(HEAD, status="ended")))
    # A job that ends in the same moment has ended.
    assert (await following([0], status(HEAD, phase="stopped")))[0] == 0


async def test_a_silent_launcher_ends_nothing_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECS", "_SILENT_SECS"):
        monkeypatch.setattr(watch, name, 0.01)
    told: list[str] = []
    heard = asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        heard.set()

    async def work() -> int:
        await heard.wait()
        return 5

    assert await beside(Launcher(None), Pubkey.default(), work(), tell) == 5  # type: ignore[arg-type]
    assert len(told) == 1
    assert told[0].startswith("the launcher does not say how the nodes are: ")
