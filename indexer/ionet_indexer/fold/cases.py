"""Folds of an arbiter's cases: opened, answered, decided or dismissed."""

from __future__ import annotations

from typing import Any

from ionet.generated import events
from ionet.generated.enums import CaseReason, NodeFlag
from ionet.words import word

from ionet_indexer.decode import Event
from ionet_indexer.fold.nodes import node_at
from ionet_indexer.fold.view import View
from ionet_indexer.tables import Case


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
    # Whoever ends a case that ran out of time dismisses it; its slash, if there is one, is the event after this.
    row.status = "dismissed" if e.at >= row.decide_by else "decided"
    row.decided_at, row.decided_by, row.bps = e.at, str(e.by), e.bps
    row.blocked = bool(e.flags_after & NodeFlag.BLOCKED)


HANDLERS: dict[str, Any] = {"CaseOpened": _opened, "CaseAppealed": _appealed, "CaseDecided": _decided}
