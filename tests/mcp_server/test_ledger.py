"""What was spent: counted before it is, over restarts and kills, and corrected from the chain alone."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from ionet.errors import ConfigError
from ionet.generated.events import ClusterOpened
from ionet_mcp.desk import NEVER_SECS, Desk
from ionet_mcp.ledger import Busy, Ledger, Limits, OverLimit, Spent
from ionet_mcp.policy import Policy
from market import USD, Market, market
from solders.keypair import Keypair

LIMITS = Limits(session=10, total=15)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Iterator[Ledger]:
    made = Ledger(file, "one", LIMITS)
    yield made
    made.close()


def test_a_budget_counts_in_full_until_it_is_closed(ledger: Ledger) -> None:
    ledger.reserve("a", 0, 10)
    assert (ledger.spent(), ledger.left()) == (Spent(10, 10), 0)
    ledger.closed("a", 4)
    assert (ledger.spent(), ledger.left()) == (Spent(4, 4), 6)
    ledger.closed("a", 0)
    ledger.release("a")
    assert ledger.spent() == Spent(4, 4)
    ledger.reserve("b", 1, 6)
    ledger.release("b")
    assert (ledger.spent(), ledger.open_bookings()) == (Spent(4, 4), [])


def test_neither_limit_can_be_passed(ledger: Ledger, file: Path) -> None:
    ledger.reserve("a", 0, 9)
    with pytest.raises(OverLimit, match="this session spent"):
        ledger.reserve("b", 1, 2)
    other = Ledger(file, "two", LIMITS)
    with pytest.raises(OverLimit, match="all sessions together spent"):
        other.reserve("b", 1, 7)
    other.reserve("b", 1, 6)
    assert (other.spent(), other.left(), ledger.left()) == (Spent(6, 15), 0, 0)
    # A limit that is lowered afterwards leaves nothing, not less than nothing.
    with closing(Ledger(file, "two", Limits(5, 5))) as lowered:
        assert lowered.left() == 0
    other.close()


def test_the_same_cluster_is_not_counted_twice(ledger: Ledger, file: Path) -> None:
    ledger.reserve("a", 0, 1)
    with closing(Ledger(file, "two", LIMITS)) as other, pytest.raises(Busy):
        other.reserve("a", 0, 1)
    assert ledger.spent() == Spent(1, 1)


def test_what_is_reserved_is_on_the_disk_when_the_process_is_killed(file: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom ionet_mcp.ledger import Ledger, Limits\n"
        "ledger = Ledger(Path(sys.argv[1]), 'one', Limits(10, 15))\nledger.reserve('a', 7, 5)\n"
        "print('reserved', flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        os.kill(process.pid, signal.SIGKILL)
    found = Ledger(file, "one", LIMITS)
    assert [(item.cluster, item.number, item.reserved) for item in found.open_bookings()] == [("a", 7, 5)]
    found.close()


@pytest.mark.parametrize("spoil", [lambda file: file.write_text("not a database" * 100), lambda file: file.mkdir()])
def test_a_file_that_is_no_ledger_is_refused(file: Path, spoil: Callable[[Path], object]) -> None:
    file.parent.mkdir()
    spoil(file)
    with pytest.raises(ConfigError, match="cannot use"):
        Ledger(file, "one", LIMITS)


def test_a_ledger_that_another_process_holds_is_waited_for_not_passed(ledger: Ledger, file: Path) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    ledger._db.execute("PRAGMA busy_timeout = 20")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        ledger.reserve("a", 0, 1)
    holder.execute("ROLLBACK")
    holder.close()
    assert ledger.spent() == Spent(0, 0)
    ledger.reserve("a", 0, 1)


Moves = st.lists(
    st.tuples(st.sampled_from(["reserve", "closed", "release"]), st.integers(0, 5), st.integers(0, 12)), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(Moves)
def test_no_sequence_of_moves_passes_a_limit_or_loses_what_was_spent(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int]]
) -> None:
    """Against books kept in a dictionary."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "db", "one", LIMITS)
    open_, closed = dict[str, int](), dict[str, int]()
    for move, number, amount in moves:
        name = f"cluster {number}"
        used = sum(open_.values()) + sum(closed.values())
        if move == "reserve":
            try:
                ledger.reserve(name, number, amount)
            except OverLimit:
                assert used + amount > LIMITS.session
            except Busy:
                assert name in open_ or name in closed
            else:
                open_[name] = amount
        elif move == "closed":
            ledger.closed(name, amount)
            if name in open_:
                closed[name] = min(amount, open_.pop(name))
        else:
            ledger.release(name)
            open_.pop(name, None)
        used = sum(open_.values()) + sum(closed.values())
        assert ledger.spent() == Spent(used, used)
        assert used <= LIMITS.session
    ledger.close()


@pytest.mark.parametrize(
    ("text", "total", "asks"),
    [
        ("always", 0, True),
        ("never", 10**12, False),
        ("1.5", 1_500_000, False),
        ("1.5", 1_500_001, True),
        ("0", 1, True),
    ],
)
def test_the_policy(text: str, total: int, asks: bool) -> None:
    assert Policy.parse(text).asks(total) is asks


@pytest_asyncio.fixture
async def chain() -> AsyncIterator[Market]:
    async with market(clock_factor=0.001) as built:
        yield built


def desk(chain: Market, ledger: Ledger) -> Desk:
    return Desk(chain.renter, Keypair(), "http://127.0.0.1:1", None, ledger, Policy.parse("never"))


async def test_a_budget_whose_transaction_never_landed_is_released_when_it_no_longer_can(
    chain: Market, tmp_path: Path
) -> None:
    now = [time.time()]
    ledger = Ledger(tmp_path / "db", "one", Limits(9 * USD, 9 * USD), clock=lambda: now[0])
    number = await chain.renter.cluster.next_id()
    ledger.reserve(str(chain.renter.cluster.address(chain.renter.address, number)), number, 5 * USD)
    await desk(chain, ledger).reconcile()
    assert ledger.left() == 4 * USD
    now[0] -= NEVER_SECS + 5
    other = await chain.renter.cluster.next_id() + 1
    ledger.reserve(str(chain.renter.cluster.address(chain.renter.address, other)), other, 1 * USD)
    await desk(chain, ledger).reconcile()
    assert ledger.left() == 4 * USD
    ledger.close()


async def test_a_budget_that_somebody_else_closed_counts_what_was_taken(chain: Market, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "db", "one", Limits(9 * USD, 9 * USD))
    number = await chain.renter.cluster.next_id()
    cluster = chain.renter.cluster.address(chain.renter.address, number)
    ledger.reserve(str(cluster), number, 5 * USD)
    opened = (await chain.renter.cluster.open(5 * USD, number=number)).event(ClusterOpened)
    assert opened.cluster == cluster
    await desk(chain, ledger).reconcile()
    assert ledger.left() == 4 * USD
    await chain.renter.cluster.close(cluster)
    await desk(chain, ledger).reconcile()
    assert (ledger.left(), ledger.open_bookings()) == (9 * USD, [])
    ledger.close()
