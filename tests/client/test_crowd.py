"""Who makes room for whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from ionet.crowd import Crowd


@dataclass(eq=False)
class Guest:
    crowd: Crowd
    host: str
    is_waiting: bool = True
    is_here: bool = field(default=True)

    def drop(self) -> None:
        self.is_here = False
        self.crowd.leave(self)


def enter(crowd: Crowd, host: str, *, is_waiting: bool = True) -> Guest:
    guest = Guest(crowd, host, is_waiting)
    guest.is_here = crowd.enter(guest)
    return guest


def test_an_address_beyond_its_bound_pushes_out_its_own_oldest_that_waits() -> None:
    crowd = Crowd(10, 3)
    other, busy, oldest, young = (
        enter(crowd, "b"),
        enter(crowd, "a", is_waiting=False),
        enter(crowd, "a"),
        enter(crowd, "a"),
    )
    assert enter(crowd, "a").is_here
    assert [guest.is_here for guest in (other, busy, oldest, young)] == [True, True, False, True]


def test_a_full_crowd_loses_the_oldest_that_waits_whosever_it_is() -> None:
    crowd = Crowd(2, 2)
    first, second = enter(crowd, "a"), enter(crowd, "b")
    assert enter(crowd, "c").is_here
    assert (first.is_here, second.is_here) == (False, True)


def test_nobody_with_a_request_under_way_is_pushed_out() -> None:
    crowd = Crowd(1, 1)
    busy = enter(crowd, "a", is_waiting=False)
    assert not enter(crowd, "a").is_here
    assert not enter(crowd, "b").is_here
    assert busy.is_here
    busy.drop()
    assert enter(crowd, "b").is_here


def test_those_that_wait_are_ended_together() -> None:
    crowd = Crowd(3, 3)
    busy, idle = enter(crowd, "a", is_waiting=False), enter(crowd, "a")
    crowd.drop_waiting()
    assert (busy.is_here, idle.is_here) == (True, False)
