//! Does 128-bit arithmetic on chain so that a test can compare every result with exact integers. Never deployed:
//! it exists because the compiler's 128-bit routines are joined to the code by hand (docs/build.md).
//!
//! One operation over many pairs per call; the answers come back as return data, 17 bytes a pair:
//! 1 when there is a value and 0 when the operation refuses, then the value, little endian.

// Wrapping, truncating and panicking operations are what is being tested.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]
// Anchor's generated exit code reads the instruction's arguments again and does not use them.
#![allow(unused_variables)]

use anchor_lang::{pinocchio::cpi::set_return_data, prelude::*};
#[cfg(target_arch = "bpf")]
use solana_compiler_builtins as _;

declare_id!("AqCuMm1pN3A6aKJnWxydmWheB8YgCkGXDSoSoxodw9DC");

const OPERAND: usize = 16;

#[program]
pub mod arith {
    use super::*;

    /// `pairs` holds two little-endian 128-bit operands per pair, at most 60 pairs by the size of return data.
    pub fn unsigned(ctx: &mut Context<Nobody>, op: u8, pairs: Vec<u8>) -> Result<()> {
        answer(&pairs, |a, b| unsigned_op(op, a, b))
    }

    /// The same for two's complement operands.
    pub fn signed(ctx: &mut Context<Nobody>, op: u8, pairs: Vec<u8>) -> Result<()> {
        answer(&pairs, |a, b| signed_op(op, a as i128, b as i128).map(|v| v as u128))
    }
}

#[derive(Accounts)]
pub struct Nobody {
    pub payer: Signer,
}

fn answer(pairs: &[u8], op: impl Fn(u128, u128) -> Option<u128>) -> Result<()> {
    let mut out = Vec::with_capacity(pairs.len());
    for pair in pairs.chunks_exact(2 * OPERAND) {
        let value = op(operand(&pair[..OPERAND]), operand(&pair[OPERAND..]));
        out.push(u8::from(value.is_some()));
        out.extend_from_slice(&value.unwrap_or(0).to_le_bytes());
    }
    set_return_data(&out);
    Ok(())
}

fn operand(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |value, byte| (value << 8) | u128::from(*byte))
}

/// Arms 0 to 4 are the plain operators: with overflow checks on they must fail the transaction, not wrap.
#[inline(never)]
fn unsigned_op(op: u8, a: u128, b: u128) -> Option<u128> {
    match op {
        0 => Some(a + b),
        1 => Some(a - b),
        2 => Some(a * b),
        3 => Some(a / b),
        4 => Some(a % b),
        5 => a.checked_add(b),
        6 => a.checked_sub(b),
        7 => a.checked_mul(b),
        8 => a.checked_div(b),
        9 => a.checked_rem(b),
        10 => Some(a.wrapping_mul(b)),
        11 => Some(u128::from(a.overflowing_mul(b).1)),
        12 => Some(a.saturating_mul(b)),
        13 => Some(a << (b & 127)),
        14 => Some(a >> (b & 127)),
        15 => a.checked_ilog2().map(u128::from),
        16 => u64::try_from(a).ok().map(u128::from),
        // What prices and shares are made of: widen, multiply, divide, narrow.
        17 => mul_div(a as u64, (a >> 64) as u64, b as u64).map(u128::from),
        18 => Some(u128::from(a < b)),
        19 => Some(a.div_ceil(b)),
        20 => Some(a.isqrt()),
        _ => None,
    }
}

#[inline(never)]
fn mul_div(a: u64, b: u64, c: u64) -> Option<u64> {
    u64::try_from(u128::from(a).checked_mul(u128::from(b))?.checked_div(u128::from(c))?).ok()
}

#[inline(never)]
fn signed_op(op: u8, a: i128, b: i128) -> Option<i128> {
    match op {
        0 => Some(a + b),
        1 => Some(a - b),
        2 => Some(a * b),
        3 => Some(a / b),
        4 => Some(a % b),
        5 => a.checked_add(b),
        6 => a.checked_sub(b),
        7 => a.checked_mul(b),
        8 => a.checked_div(b),
        9 => a.checked_rem(b),
        10 => Some(a.wrapping_mul(b)),
        11 => Some(i128::from(a.overflowing_mul(b).1)),
        12 => Some(a.saturating_mul(b)),
        13 => Some(a << (b & 127)),
        14 => Some(a >> (b & 127)),
        15 => a.checked_neg(),
        16 => i64::try_from(a).ok().map(i128::from),
        17 => a.checked_div_euclid(b),
        18 => Some(i128::from(a < b)),
        19 => a.checked_rem_euclid(b),
        20 => a.checked_abs(),
        _ => None,
    }
}
