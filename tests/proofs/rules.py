"""The program's rules of money and time, each written once: z3 reads them, and the tests compute with them.

Each names the Rust function it is; every rounding, bound and subtraction that the program checks is written as it is
there.
"""

from __future__ import annotations

from typing import NamedTuple

from ionet.generated.enums import (
    BPS,
    IO_UNIT,
    MAX_SHARES_PER_UNIT,
    SECS_PER_HOUR,
    VIRTUAL_ASSETS,
    VIRTUAL_SHARES,
)
from proofs.solver import U64, U128, Maths, Term


def least(m: Maths, a: Term, b: Term) -> Term:
    return m.pick(a <= b, a, b)


def most(m: Maths, a: Term, b: Term) -> Term:
    return m.pick(a >= b, a, b)


# -- payments


def earned(m: Maths, price: Term, processors: Term, secs: Term) -> Term:
    """`math::earned`"""
    return m.fits(m.floor(price * processors * secs, SECS_PER_HOUR))


def gross(m: Maths, price: Term, processors: Term, before: Term, secs: Term) -> Term:
    """What `Payment::due` pays for time beyond that of the last settlement."""
    return m.fits(earned(m, price, processors, secs) - earned(m, price, processors, before))


def bps_floor(m: Maths, amount: Term, bps: Term) -> Term:
    """`math::bps_floor`"""
    return m.fits(m.floor(amount * bps, BPS))


def fee(m: Maths, amount: Term, bps: Term) -> Term:
    """`math::bps_ceil`"""
    return m.fits(m.ceil(amount * bps, BPS))


def with_fee(m: Maths, price: Term, fee_bps: Term) -> Term:
    """Both parts of `Lease::cost`: what `add_lease` and `extend_lease` have locked for the whole of a lease."""
    return m.fits(price + fee(m, price, fee_bps))


def shared(m: Maths, before: Term, after: Term, bps: Term) -> Term:
    """`Payment::to_share`: the stakers' part when what was paid after fees rises from `before` to `after`."""
    return m.fits(bps_floor(m, after, bps) - bps_floor(m, before, bps))


# -- stake


class Pool(NamedTuple):
    amount: Term
    shares: Term


def absorb(m: Maths, pool: Pool, amount: Term) -> tuple[Pool, Term]:
    """`Pool::absorb`: the pool after a deposit, and the shares it made."""
    made = m.fits(m.floor(amount * (pool.shares + VIRTUAL_SHARES), pool.amount + VIRTUAL_ASSETS), U128)
    return Pool(m.fits(pool.amount + amount), m.fits(pool.shares + made, U128)), made


def worth(m: Maths, pool: Pool, shares: Term) -> Term:
    """`Pool::worth`"""
    exact = m.fits(m.floor(shares * (pool.amount + VIRTUAL_ASSETS), pool.shares + VIRTUAL_SHARES), U128)
    return least(m, least(m, exact, U64 - 1), pool.amount)


def redeem(m: Maths, pool: Pool, shares: Term) -> tuple[Pool, Term]:
    """`Pool::redeem`: the pool afterwards, and what left it."""
    amount = worth(m, pool, shares)
    return Pool(m.fits(pool.amount - amount), m.fits(pool.shares - shares, U128)), amount


def shares_for(m: Maths, pool: Pool, amount: Term, held: Term) -> Term:
    """`Pool::shares_for`"""
    exact = m.fits(m.ceil(amount * (pool.shares + VIRTUAL_SHARES), pool.amount + VIRTUAL_ASSETS), U128)
    return least(m, exact, held)


def slash(m: Maths, pool: Pool, amount: Term) -> Pool:
    """`Pool::slash`: a pool of which too little is left is wiped."""
    left = m.fits(pool.amount - amount)
    return Pool(left, m.pick(pool.shares > left * MAX_SHARES_PER_UNIT, 0, pool.shares))


# -- slashes


class Slash(NamedTuple):
    amount: Term
    from_bonded: Term
    from_unbonding: Term
    from_owner: Term


def owner_part(m: Maths, pool: Pool, owner_shares: Term, amount: Term) -> Term:
    """`slashing::owner_part`"""
    return m.fits(m.floor(amount * least(m, owner_shares, pool.shares), most(m, pool.shares, 1)))


def take_amount(
    m: Maths, bonded: Pool, unbonding: Pool, owner_bonded: Term, owner_unbonding: Term, wanted: Term
) -> Slash:
    """`slashing::take_amount`"""
    stake = m.fits(bonded.amount + unbonding.amount)
    amount = least(m, wanted, stake)
    from_bonded = m.fits(m.floor(amount * bonded.amount, most(m, stake, 1)))
    from_unbonding = m.fits(amount - from_bonded)
    of_bonded = owner_part(m, bonded, owner_bonded, from_bonded)
    of_unbonding = owner_part(m, unbonding, owner_unbonding, from_unbonding)
    return Slash(amount, from_bonded, from_unbonding, m.fits(of_bonded + of_unbonding))


class Division(NamedTuple):
    to_renter: Term
    to_reporter: Term
    burned: Term


def divide(m: Maths, amount: Term, from_owner: Term, compensation: Term, reporter_bps: Term, cap: Term) -> Division:
    """`slashing::divide`; who is not paid has a compensation, or a part, of zero."""
    half = m.floor(from_owner, 2)
    to_renter = least(m, compensation, half)
    left = m.fits(half - to_renter)
    to_reporter = least(m, least(m, bps_floor(m, from_owner, reporter_bps), cap), left)
    return Division(to_renter, to_reporter, m.fits(m.fits(amount - to_renter) - to_reporter))


def compensation(m: Maths, price: Term, processors: Term, missed: Term, share_bps: Term, io_price: Term) -> Term:
    """`slashing::compensation` of a lease that is not paid in IO and has a price of IO."""
    part = bps_floor(m, earned(m, price, processors, missed), share_bps)
    return least(m, m.fits(m.floor(part * IO_UNIT, io_price), U128), U64 - 1)


# -- the limiter of IOSD


def cap_of(m: Maths, supply: Term, limit_bps: Term, floor: Term) -> Term:
    """What `Iosd::limit_mint` and `limit_redeem` let through at once."""
    return most(m, bps_floor(m, supply, limit_bps), floor)


def leaked(m: Maths, used: Term, secs: Term, cap: Term, window: Term) -> Term:
    """`iosd::leaked`, `secs` after the last change; the window is positive."""
    refilled = least(m, m.fits(m.floor(cap * secs, window), U128), U64 - 1)
    return most(m, used - refilled, 0)


def level_after(m: Maths, used: Term, secs: Term, cap: Term, window: Term, amount: Term) -> Term:
    """What `limit_mint` and `limit_redeem` write when it is not above the cap, and else refuse."""
    return leaked(m, used, secs, cap, window) + amount


# -- time


def secs_between(m: Maths, start: Term, end: Term) -> Term:
    """`math::secs_between`"""
    return most(m, end - start, 0)


def slots_secs(m: Maths, start: Term, end: Term, slot_ms: Term) -> Term:
    """`math::slots_secs`"""
    return m.floor(least(m, most(m, end - start, 0) * slot_ms, U64 - 1), 1_000)


def elapsed(m: Maths, at: Term, at_slot: Term, now: Term, slot: Term, slot_ms: Term) -> Term:
    """`math::elapsed`"""
    return least(m, secs_between(m, at, now), slots_secs(m, at_slot, slot, slot_ms))


def recovery_left(m: Maths, restart_slot: Term, slot: Term, recovery_secs: Term, slot_ms: Term) -> Term:
    """`Moment::recovery_left` after a restart."""
    return most(m, recovery_secs - slots_secs(m, restart_slot, slot, slot_ms), 0)


def halted(m: Maths, synced_at: Term, synced_slot: Term, now: Term, slot: Term, slot_ms: Term) -> Term:
    """Seconds by which `Lease::catch_up` moves a lease's clock."""
    ran = secs_between(m, synced_at, now)
    return most(m, ran - slots_secs(m, synced_slot, slot, slot_ms), 0)


def restarted_at(
    m: Maths, synced_at: Term, synced_slot: Term, restart_slot: Term, now: Term, slot: Term, slot_ms: Term
) -> Term:
    """When, on the moved clock, `Lease::catch_up` takes the chain to have restarted."""
    still = halted(m, synced_at, synced_slot, now, slot, slot_ms)
    ran = secs_between(m, synced_at, now)
    slots = most(m, slot - synced_slot, 0)
    before = m.ceil((ran - still) * most(m, least(m, restart_slot, slot) - synced_slot, 0), most(m, slots, 1))
    return synced_at + still + m.fits(before)
