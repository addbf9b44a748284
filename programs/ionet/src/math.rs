//! Exact integer arithmetic. Everything is checked; products are taken before quotients in u128.

use anchor_lang::prelude::*;

use crate::constants::{BPS, SECS_PER_HOUR};
use crate::error::IonetError;

pub fn add(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(|| IonetError::Overflow.into())
}

pub fn sub(a: u64, b: u64) -> Result<u64> {
    a.checked_sub(b).ok_or_else(|| IonetError::Overflow.into())
}

#[inline(never)]
pub fn add_time(at: i64, secs: u64) -> Result<i64> {
    i64::try_from(secs).ok().and_then(|secs| at.checked_add(secs)).ok_or_else(|| IonetError::Overflow.into())
}

/// Seconds from `from` to `to`, 0 if `to` is earlier.
pub fn secs_between(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Seconds since a moment, as the smaller of the clock's and the slots': the clock jumps when a halted chain
/// restarts, slots do not.
#[inline(never)]
pub fn elapsed(from: i64, from_slot: u64, now: i64, slot: u64, slot_ms: u32) -> u64 {
    let by_slots = slot.saturating_sub(from_slot).saturating_mul(u64::from(slot_ms)) / 1_000;
    secs_between(from, now).min(by_slots)
}

/// `⌊a · b / c⌋`
#[inline(never)]
pub fn mul_div(a: u128, b: u128, c: u128) -> Result<u128> {
    a.checked_mul(b).and_then(|product| product.checked_div(c)).ok_or_else(|| IonetError::Overflow.into())
}

/// `⌈a · b / c⌉`
#[inline(never)]
pub fn mul_div_ceil(a: u128, b: u128, c: u128) -> Result<u128> {
    let product = a.checked_mul(b).ok_or(IonetError::Overflow)?;
    require!(c > 0, IonetError::Overflow);
    Ok(product.div_ceil(c))
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
    let rate = u128::from(price).checked_mul(u128::from(processors)).ok_or(IonetError::Overflow)?;
    to_u64(mul_div(rate, u128::from(secs), u128::from(SECS_PER_HOUR))?)
}
