use anchor_lang::prelude::*;

use crate::error::IonetError;

pub const KIND_GPU: u8 = 0;
pub const KIND_CPU: u8 = 1;
pub const POOL_ENTERPRISE: u8 = 0;
pub const POOL_COMMUNITY: u8 = 1;
/// Multiplier ×100 that no model may exceed (1,000).
pub const MAX_MULTIPLIER: u32 = 100_000;

/// A kind of processor that can be rented.
#[account]
pub struct DeviceModel {
    /// UTF-8, zero padded.
    pub name: [u8; 32],
    /// Work units per second that compute proofs scale to; 0 = not set.
    pub throughput: u64,
    pub seq: u64,
    /// Earning multiplier × 100.
    pub multiplier: u32,
    pub code: u16,
    pub kind: u8,
    pub pool: u8,
    /// 1 = can be booked.
    pub enabled: u8,
    pub bump: u8,
    pub version: u8,
    pub reserved: [u8; 37],
}

impl DeviceModel {
    pub const SEED: &'static [u8] = b"model";
    pub const VERSION: u8 = 1;

    /// IO that a node of this model must have bonded: `stake_per_processor · max(1, multiplier) · processors`.
    pub fn required_stake(&self, stake_per_processor: u64, processors: u8) -> Result<u64> {
        const ONE: u128 = 100;
        let product = u128::from(stake_per_processor)
            .checked_mul(u128::from(self.multiplier).max(ONE))
            .and_then(|value| value.checked_mul(u128::from(processors)))
            .ok_or(IonetError::Overflow)?;
        u64::try_from(product.div_ceil(ONE)).map_err(|_| IonetError::Overflow.into())
    }
}
