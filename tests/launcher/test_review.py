"""What the launcher does about proven intervals in the renter's name: the verdicts, then on the real program."""

from __future__ import annotations

from hashlib import sha256

import asyncpg
import market
import pytest
from ionet.client import Client
from ionet.generated.enums import TAKEN, LeaseStatus
from ionet.generated.events import ClusterOpened, LeaseBooked
from ionet.lease_view import LeaseView
from ionet.rules import merkle
from ionet.rules.challenges import TASK_ID, leaf_zero, sign_challenge
from ionet.wallet import KeypairSigner
from ionet_launcher.review import Challenges, Policy, Reviewer, Verdict, to_approve, to_dispute, verdicts
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.store import Store
from launcher.test_store import ME, work
from leases import SESSION, lease_view
from solders.pubkey import Pubkey

START = 2_000


def lease(**changes: object) -> LeaseView:
    """Six intervals of 10 s, all proven; the dispute window is 40 s."""
    ring = tuple(10 if at < 6 else 0 for at in range(16))
    basis = {"status": LeaseStatus.ACTIVE, "started_at": START, "ends_at": START + 60, "dispute_window_secs": 40}
    return lease_view(**{**basis, "ring": ring, "ring_next": 6, **changes})


def memory(calls: dict[int, int], answered: set[int]) -> Challenges:
    made = Challenges()
    for interval, count in calls.items():
        for _ in range(count):
            made.called(lease().address, interval)
    for interval in answered:
        made.answered(lease().address, interval)
    return made


def test_verdicts_follow_what_was_called_answered_and_published() -> None:
    known = memory({0: 1, 1: 3, 2: 1, 3: 2, 4: 1}, answered={0, 2})
    published = {0: True, 2: False, 5: False}
    found = verdicts(lease(), START + 100, known, published)
    assert found == {
        0: Verdict.ANSWERED,
        1: Verdict.SILENT,  # called three times, nothing came
        2: Verdict.SILENT,  # took the challenge and published something else
        3: Verdict.SILENT,
        4: Verdict.UNKNOWN,  # one call may have been lost
        5: Verdict.UNKNOWN,  # this process never challenged it
    }
    assert to_dispute(lease(), found) == (1, 4)
    assert to_approve(lease(), found) == 1
    assert to_dispute(lease(dispute_from=0, dispute_to=1), found) is None
    assert to_approve(lease(dispute_from=0, dispute_to=1), found) is None


def test_a_node_has_half_of_the_window_to_publish() -> None:
    known = memory({0: 2}, answered=set())
    assert verdicts(lease(), START + 20, known, {}) == {}
    assert verdicts(lease(), START + 39, known, {}) == {}
    assert verdicts(lease(), START + 40, known, {}) == {0: Verdict.SILENT}
    assert verdicts(lease(), START + 20, known, {0: True}) == {0: Verdict.ANSWERED}


def test_what_is_decided_is_left_alone_and_does_not_stop_approval() -> None:
    ring = (TAKEN, 0, 10) + (0,) * 13
    shown = lease(ring=ring, ring_next=3)
    found = verdicts(shown, START + 100, memory({2: 1}, {2}), {2: True})
    assert found == {0: Verdict.DECIDED, 1: Verdict.DECIDED, 2: Verdict.ANSWERED}
    assert (to_approve(shown, found), to_dispute(shown, found)) == (3, None)
    assert verdicts(lease(ring_base=6), START + 100, memory({}, set()), {}) == {}
    assert verdicts(lease(approved_through=6), START + 100, memory({}, set()), {}) == {}


def test_memory_is_dropped_with_what_cannot_be_disputed_any_more() -> None:
    known, key = memory({0: 2, 1: 2}, {0, 1}), lease().address
    known.forget(key, before=1)
    assert (known.is_answered(key, 0), known.is_answered(key, 1)) == (False, True)
    known.forget(key)
    assert not known.is_answered(key, 1)


async def proven(
    here: market.Market, machine: market.Machine, lease: Pubkey, interval: int, *, answered: bool
) -> tuple[bytes, bytes]:
    """Prove the interval that has just passed; returns root and what its leaf 0 holds."""
    signature = sign_challenge(SESSION, lease, interval) if answered else b""
    result = merkle.result_hash(signature)
    root = leaf_zero(lease, interval, signature)
    await here.admin.lease.append_proof(
        lease,
        KeypairSigner(machine.device),
        node=machine.address,
        interval=interval,
        served_secs=3,
        root=root,
        gpu_ms=0,
    )
    return root, result


async def publish(pool: asyncpg.Pool, lease: Pubkey, interval: int, root: bytes, result: bytes) -> None:
    """As the indexer keeps what an agent uploaded."""
    await pool.execute(
        "INSERT INTO leaf_sets (lease, interval, root, leaves, uploaded_at, body, blocks)"
        " VALUES ($1, $2, $3, 1, 0, $4, '')",
        str(lease),
        interval,
        root.hex(),
        TASK_ID + result,
    )


@pytest.mark.parametrize(
    ("policy", "disputed", "approved"),
    [
        (Policy(), (0, 0), 0),
        (Policy(approve=True), (0, 0), 0),
        (Policy(dispute=True), (0, 1), 0),
        (Policy(approve=True, dispute=True), (0, 1), 0),
    ],
)
async def test_reviewer_disputes_only_when_told_to(
    pool: asyncpg.Pool, policy: Policy, disputed: tuple[int, int], approved: int
) -> None:
    """A node proves two intervals; in the first its leaf 0 is not the answer to the challenge that it took."""
    found, _ = await reviewed(pool, policy, answered=(False, True))
    assert ((found.dispute_from, found.dispute_to), found.approved_through) == (disputed, approved)


async def test_reviewer_approves_what_was_answered(pool: asyncpg.Pool) -> None:
    found, again = await reviewed(pool, Policy(approve=True, dispute=True), answered=(True, True))
    assert (found.approved_through, found.dispute_to) == (2, 0)
    assert again == found, "what is approved is not approved again"


async def reviewed(pool: asyncpg.Pool, policy: Policy, answered: tuple[bool, bool]) -> tuple[LeaseView, LeaseView]:
    """The lease as the chain has it after one review, and after another."""
    async with market.market(clock_factor=0.001) as here, Client(here.net.rpc_url, SESSION) as session:
        await session.rpc.airdrop(session.address, 10**9)
        machine = await here.add_machine("review")
        opening = here.renter.cluster.open(market.USD, session_key=session.address, session_expires_at=2**40)
        cluster = (await opening).event(ClusterOpened).cluster
        booking = here.renter.cluster.add_lease(cluster, machine.address, duration=30)
        address = (await booking).event(LeaseBooked).lease
        await here.admin.lease.mark_ready(address, KeypairSigner(machine.device), sha256(b"report").digest())
        await session.lease.accept_ready(address)
        known = Challenges()
        for interval, right in enumerate(answered):
            known.called(address, interval)
            known.answered(address, interval)
            here.pass_time(3)
            root, result = await proven(here, machine, address, interval, answered=right)
            await publish(pool, address, interval, root, result)
        here.pass_time(3)
        await work(pool, str(address), str(cluster), "active", 1)
        chain, store, views = SessionChain(session), Store(pool, ME), []
        await store.plan()
        [held] = await store.claim(1)
        for _ in range(2):
            before = await chain.cluster(cluster, [address])
            assert before is not None
            await Reviewer(chain, SESSION, known, policy).review(held, before.leases, before.now)
            after = await chain.cluster(cluster, [address])
            assert after is not None
            views += after.leases
        return views[0], views[1]
