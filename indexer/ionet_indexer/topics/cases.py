"""An arbiter's cases: opened, answered, decided or dismissed."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from ionet.generated.enums import CaseReason, NodeFlag
from ionet.words import word

from ionet_indexer.core.answers import Amount, Digits, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import SLOT, Listing, Order, addresses, choice
from ionet_indexer.core.rows import State
from ionet_indexer.core.view import View
from ionet_indexer.topics.nodes import node_at

# -- rows


class Case(State, kw_only=True):
    """An arbiter's case: the stake is frozen until it is decided or dismissed. `slashed` is IO, `bps` of the stake."""

    table: ClassVar[str] = "cases"
    key: ClassVar[str] = "case_account"
    entity: ClassVar[str] = "node"

    case_account: str
    position: int
    node: str
    owner: str
    number: Amount
    arbiter: str
    reason: str
    evidence_hash: str
    opened_at: int
    decide_from: int
    decide_by: int
    status: str = "open"
    appealed_at: int | None = None
    appeal_hash: str | None = None
    decided_at: int | None = None
    decided_by: str | None = None
    bps: int | None = None
    blocked: bool | None = None


# -- folds


def _case_at(view: View, event: Event, key: str) -> Case:
    row = view.get(Case, key)
    row.position = event.position
    return row


def _opened(view: View, event: Event, e: events.CaseOpened) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.flags, node.open_case = e.flags_after, str(e.case)
    node.cases += 1
    view.put(
        Case(
            case_account=str(e.case),
            position=event.position,
            node=node.node,
            owner=node.owner,
            number=e.number,
            arbiter=str(e.arbiter),
            reason=word(CaseReason, e.reason),
            evidence_hash=e.evidence_hash.hex(),
            opened_at=e.at,
            decide_from=e.decide_from,
            decide_by=e.decide_by,
        )
    )


def _appealed(view: View, event: Event, e: events.CaseAppealed) -> None:
    node_at(view, event, str(e.node), e.seq)
    row = _case_at(view, event, str(e.case))
    row.status, row.appealed_at, row.appeal_hash = "appealed", e.at, e.appeal_hash.hex()
    row.decide_from = e.decide_from


def _decided(view: View, event: Event, e: events.CaseDecided) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.flags, node.open_case = e.flags_after, None
    row = _case_at(view, event, str(e.case))
    # Ending a case that ran out of time dismisses it; its slash, if there is one, is the event after this.
    row.status = "dismissed" if e.at >= row.decide_by else "decided"
    row.decided_at, row.decided_by, row.bps = e.at, str(e.by), e.bps
    row.blocked = bool(e.flags_after & NodeFlag.BLOCKED)


HANDLERS: dict[str, Any] = {"CaseOpened": _opened, "CaseAppealed": _appealed, "CaseDecided": _decided}


# -- lists

CASES = Listing(
    name="cases",
    docs="Arbiter cases, newest first.",
    item="One case.",
    out=answer_of(Case, renamed={"case_account": "case"}, more={"slot": int, "slashed": Digits}),
    source="cases t",
    order=(Order("opened_at", "t.opened_at", "bigint"), Order("case", "t.case_account", "text")),
    key="t.case_account",
    narrowed={**addresses("node", "owner"), "status": choice("t.status", "open", "appealed", "decided", "dismissed")},
    computed={
        "case": "t.case_account",
        "slot": SLOT,
        # The slash of a decision is in the transaction of the decision, the row's last event.
        "slashed": """(SELECT coalesce(sum(s.amount), 0) FROM slashes s WHERE s.node = t.node AND s.reason = 'case'
            AND t.decided_at IS NOT NULL AND s.position >> 14 = t.position >> 14)""",
    },
    newest_first=True,
    time="t.opened_at",
)
