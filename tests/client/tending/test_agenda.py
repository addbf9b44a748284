"""Deadlines in memory: who comes when, what fails, what cannot be read."""

from __future__ import annotations

from typing import Any

import msgspec
from ionet.duties import DUTIES, Habits, Seen
from ionet.generated.accounts import Lease, Node, StakePosition
from ionet.generated.types import Pool, Ticket
from ionet.rules.restarts import Moment
from ionet.tending.agenda import FIRST_WAIT, LONGEST_WAIT, Agenda
from leases import lease_view
from solders.keypair import Keypair
from solders.pubkey import Pubkey

LEASE, NODE = (Pubkey.from_bytes(bytes([number] * 32)) for number in (1, 2))
PLACE = {duty.name: place for place, duty in enumerate(DUTIES)}
CANCEL = PLACE["cancel_lease"]
NOW = Moment(1_000, 10_000)


def agenda(window: float = 0.0, key: Pubkey | None = None) -> Agenda:
    return Agenda(bytes(key or Keypair().pubkey()), window, Habits())


def seen(**changes: Any) -> Seen:
    usual = {"booked_at": 1_000, "booked_slot": 10_000, "ready_deadline_secs": 300, "slot_ms": 400}
    view = lease_view(**usual | changes)
    fields = {name: getattr(view, name) for name in Lease.__struct_fields__}
    params: Any = None
    return Seen(LEASE, Lease(**fields), params)


def test_nothing_is_due_before_its_time_and_once_taken_it_waits_for_the_next_look() -> None:
    made = agenda()
    made.put(seen(), "lease", NOW)
    assert made.next_at() == 1_300
    assert made.due(1_299, 10) == []
    assert made.due(1_300, 10) == [(LEASE, CANCEL)]
    assert made.due(1_300, 10) == []
    assert made.next_at() is None
    made.put(seen(), "lease", Moment(1_300, 20_000))
    assert made.due(1_300, 10) == [(LEASE, CANCEL)]


def test_what_changes_moves_its_deadline() -> None:
    made = agenda()
    made.put(seen(), "lease", NOW)
    made.put(seen(ready_deadline_secs=500), "lease", NOW)
    assert made.due(1_499, 10) == []
    assert made.due(1_500, 10) == [(LEASE, CANCEL)]


def test_what_is_looked_at_again_and_again_takes_no_more_memory() -> None:
    made = agenda()
    for _ in range(1_000):
        made.put(seen(), "lease", NOW)
    assert len(made._heap) == 1
    made.put(seen(ready_deadline_secs=500), "lease", NOW)
    made.put(seen(), "lease", NOW)
    assert made.due(1_300, 10) == [(LEASE, CANCEL)]


def test_what_is_gone_is_forgotten() -> None:
    made = agenda()
    made.put(seen(), "lease", NOW)
    made.drop([LEASE, NODE])
    assert (made.due(2_000, 10), made.next_at(), made.keys()) == ([], None, set())


def test_each_keeper_waits_for_another_part_of_the_window_and_the_same_one_for_the_same() -> None:
    turns = []
    for _ in range(50):
        key = Keypair().pubkey()
        mine = [agenda(100.0, key), agenda(100.0, key)]
        for each in mine:
            each.put(seen(), "lease", NOW)
        assert mine[0].next_at() == mine[1].next_at()
        turns.append(mine[0].next_at() or 0.0)
    assert all(1_300 <= turn < 1_400 for turn in turns)
    assert max(turns) - min(turns) > 60
    assert len(set(turns)) == 50


def test_what_is_due_already_does_not_wait_again_when_it_is_looked_at() -> None:
    made = agenda(100.0)
    made.put(seen(), "lease", NOW)
    turn = made.next_at()
    assert turn is not None
    for later in range(1_300, int(turn)):
        made.put(seen(), "lease", Moment(later, 20_000))
    assert (made.next_at() or 0.0) <= turn


def test_what_fails_waits_twice_as_long_each_time_up_to_an_hour() -> None:
    made, task, now = agenda(), (LEASE, CANCEL), 1_300
    made.put(seen(), "lease", NOW)
    waits = []
    for _ in range(14):
        assert made.due(now, 10) == [task]
        waits.append(made.failed(task, now))
        made.put(seen(), "lease", Moment(now, 20_000))
        assert made.due(now + waits[-1] - 1, 10) == []
        now += waits[-1]
    assert waits[:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, 8 * FIRST_WAIT]
    assert waits[-3:] == [LONGEST_WAIT] * 3
    made.done(task, now)
    assert made.failed(task, now) == FIRST_WAIT


def test_an_account_without_sense_stops_nothing() -> None:
    """Whatever numbers an account has: a time, none, or it counts as unread; and quickly."""
    made = agenda()
    senseless: list[dict[str, Any]] = [
        {"status": 3, "started_at": 1, "ends_at": 2**62, "interval_secs": 0},
        {"status": 4, "started_at": 1, "ends_at": 500, "ring_next": 2**32 - 1, "ring_base": 0, "interval_secs": 1},
        {"status": 3, "started_at": 1, "ends_at": 500, "interval_secs": 0, "slot_ms": 0, "tier_secs": (0, 0, 0)},
        {"status": 77},
        {"status": 4, "started_at": -(2**62), "ends_at": 2**62, "interval_secs": 1, "ring": ()},
    ]
    for changes in senseless:
        made.put(seen(**changes), "lease", NOW)
        made.due(2**63, 100)
    made.put(seen(), "lease", NOW)
    assert LEASE not in made.unread
    assert made.due(1_300, 10) == [(LEASE, CANCEL)]


def test_positions_are_looked_at_again_when_their_node_has_changed() -> None:
    made, position = agenda(), Pubkey.from_bytes(bytes([9] * 32))
    ticket = Ticket(0, 0, 0, 0, 0)
    staked = _zero(StakePosition, node=NODE, staker=NODE, shares=5, tickets=(ticket,), income=(0, 0, 0))
    node = _zero(Node, owner=NODE, bonded=Pool(0, 0, 5), unbonding=Pool(0, 0, 0), income_vault_bumps=bytes(3))
    params: Any = None
    made.put(Seen(position, staked, params, node=node), "position", NOW)
    made.put(Seen(NODE, node, params), "node", NOW)
    assert made.put(Seen(NODE, node, params), "node", NOW) == set()
    retired = msgspec.structs.replace(node, flags=2)
    assert made.put(Seen(NODE, retired, params), "node", NOW) == {position}
    unbonds = msgspec.structs.replace(retired, bonded=Pool(0, 0, 3), unbonding=Pool(0, 0, 2))
    assert made.put(Seen(NODE, unbonds, params), "node", NOW) == {position}
    made.drop([position])
    assert made.put(Seen(NODE, node, params), "node", NOW) == set()


def _zero(kind: type[msgspec.Struct], **changes: Any) -> Any:
    blank: dict[str, Any] = {"Pubkey": NODE, "bytes": bytes(32), "tuple[u128, ...]": (0, 0, 0)}
    fields = {name: blank.get(str(kind.__annotations__[name]), 0) for name in kind.__struct_fields__}
    return kind(**fields | changes)
