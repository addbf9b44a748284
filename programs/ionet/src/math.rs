//! Exact integer arithmetic. Everything is checked; products are taken before quotients in u128.

use anchor_lang::prelude::*;

use crate::constants::{BPS, SECS_PER_HOUR};
use crate::error::IonetError;

#[inline]
pub fn add(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(|| IonetError::Overflow.into())
}

#[inline]
pub fn sub(a: u64, b: u64) -> Result<u64> {
    a.checked_sub(b).ok_or_else(|| IonetError::Overflow.into())
}

#[inline]
pub fn add_time(at: i64, secs: u64) -> Result<i64> {
    i64::try_from(secs).ok().and_then(|secs| at.checked_add(secs)).ok_or_else(|| IonetError::Overflow.into())
}

/// Seconds from `from` to `to`, 0 if `to` is earlier.
#[inline]
pub fn secs_between(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Seconds that the slots from `from` to `to` stand for.
#[inline]
pub fn slots_secs(from: u64, to: u64, slot_ms: u32) -> u64 {
    to.saturating_sub(from).saturating_mul(u64::from(slot_ms)) / 1_000
}

/// Seconds since a moment, as the smaller of the clock's and the slots': the clock jumps when a halted chain
/// restarts, slots do not.
#[inline(never)]
pub fn elapsed(from: i64, from_slot: u64, now: i64, slot: u64, slot_ms: u32) -> u64 {
    secs_between(from, now).min(slots_secs(from_slot, slot, slot_ms))
}

/// `⌊a · b / c⌋`, exact also where the product needs 256 bits.
#[inline(never)]
pub fn mul_div(a: u128, b: u128, c: u128) -> Result<u128> {
    Ok(div_rem(a, b, c)?.0)
}

/// `⌈a · b / c⌉`
#[inline(never)]
pub fn mul_div_ceil(a: u128, b: u128, c: u128) -> Result<u128> {
    let (quotient, remainder) = div_rem(a, b, c)?;
    quotient.checked_add(u128::from(remainder > 0)).ok_or_else(|| IonetError::Overflow.into())
}

/// Quotient and remainder of `a · b` by `c`. Shares of a pool that was slashed often outgrow a 128-bit product.
#[inline(never)]
fn div_rem(a: u128, b: u128, c: u128) -> Result<(u128, u128)> {
    if let Some(product) = narrow_product(a, b) {
        return narrow_div_rem(product, c).ok_or_else(|| IonetError::Overflow.into());
    }
    let (high, low) = mul_wide(a, b);
    require!(high < c, IonetError::Overflow);
    // Long division, bit by bit: the remainder stays below `c`, so shifting it loses at most the bit kept in `carry`.
    let (mut quotient, mut remainder) = (0u128, high);
    for bit in (0..u128::BITS).rev() {
        let carry = remainder >> 127 == 1;
        remainder = (remainder << 1) | ((low >> bit) & 1);
        if carry || remainder >= c {
            remainder = remainder.wrapping_sub(c);
            quotient |= 1 << bit;
        }
    }
    Ok((quotient, remainder))
}

/// `a · b` where it fits into 128 bits. Two factors of 64 bits, the usual case, need no test.
fn narrow_product(a: u128, b: u128) -> Option<u128> {
    if (a | b) >> 64 == 0 {
        return Some(a.wrapping_mul(b));
    }
    a.checked_mul(b)
}

/// Quotient and remainder; the machine divides 64 bits at once, and 128 bits take it hundreds of instructions.
fn narrow_div_rem(product: u128, c: u128) -> Option<(u128, u128)> {
    if let (Ok(product), Ok(c)) = (u64::try_from(product), u64::try_from(c)) {
        return Some((product.checked_div(c)?.into(), product.checked_rem(c)?.into()));
    }
    let quotient = product.checked_div(c)?;
    Some((quotient, product.wrapping_sub(quotient.wrapping_mul(c))))
}

/// The 256-bit product as its upper and lower half. No sum below can overflow: the halves are products of 64 bits.
fn mul_wide(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let lowest = a_low.wrapping_mul(b_low);
    let cross = a_high.wrapping_mul(b_low).wrapping_add(lowest >> 64);
    let middle = a_low.wrapping_mul(b_high).wrapping_add(cross & LOW);
    let high = a_high.wrapping_mul(b_high).wrapping_add(cross >> 64).wrapping_add(middle >> 64);
    (high, (middle << 64) | (lowest & LOW))
}

pub fn to_u64(value: u128) -> Result<u64> {
    u64::try_from(value).map_err(|_| IonetError::Overflow.into())
}

/// `⌊amount · bps / 10⁴⌋`
#[inline(never)]
pub fn bps_floor(amount: u64, bps: u64) -> Result<u64> {
    to_u64(mul_div(u128::from(amount), u128::from(bps), u128::from(BPS))?)
}

/// `⌈amount · bps / 10⁴⌉`
#[inline(never)]
pub fn bps_ceil(amount: u64, bps: u64) -> Result<u64> {
    to_u64(mul_div_ceil(u128::from(amount), u128::from(bps), u128::from(BPS))?)
}

/// What `secs` of all processors cost: `⌊price · processors · secs / 3600⌋`. Cumulative: a payment is the difference
/// of two values, so a thousand settlements pay the same as one.
#[inline(never)]
pub fn earned(price: u64, processors: u8, secs: u64) -> Result<u64> {
    let rate = narrow_product(price.into(), processors.into()).ok_or(IonetError::Overflow)?;
    to_u64(mul_div(rate, u128::from(secs), u128::from(SECS_PER_HOUR))?)
}
