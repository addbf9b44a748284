use anchor_lang::prelude::*;

use crate::error::IonetError;

#[constant]
pub const DEVICE_KIND_GPU: u8 = 0;
#[constant]
pub const DEVICE_KIND_CPU: u8 = 1;
#[constant]
pub const DEVICE_POOL_ENTERPRISE: u8 = 0;
#[constant]
pub const DEVICE_POOL_COMMUNITY: u8 = 1;
/// Multiplier ×100 that no model may exceed (1,000).
#[constant]
pub const MAX_MULTIPLIER: u32 = 100_000;

/// A device model as the authority describes it.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct RegisterModelArgs {
    /// UTF-8, zero padded.
    pub name: [u8; 32],
    /// One of `DEVICE_KIND_…`.
    pub kind: u8,
    /// One of `DEVICE_POOL_…`.
    pub pool: u8,
    /// Earning multiplier × 100.
    pub multiplier: u32,
    /// Work units per second that compute proofs scale to; 0 = not set.
    pub throughput: u64,
}

impl RegisterModelArgs {
    pub fn validate(&self) -> Result<()> {
        let named = self.name.first().is_some_and(|first| *first != 0);
        let known = self.kind <= DEVICE_KIND_CPU && self.pool <= DEVICE_POOL_COMMUNITY;
        require!(named && known && self.multiplier <= MAX_MULTIPLIER, IonetError::BadModel);
        Ok(())
    }
}

/// A kind of processor that can be rented.
#[account]
pub struct DeviceModel {
    /// UTF-8, zero padded.
    pub name: [u8; 32],
    /// Work units per second that compute proofs scale to; 0 = not set.
    pub throughput: u64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Earning multiplier × 100.
    pub multiplier: u32,
    /// Part of this account's address.
    pub code: u16,
    /// One of `DEVICE_KIND_…`.
    pub kind: u8,
    /// One of `DEVICE_POOL_…`.
    pub pool: u8,
    /// 1 = can be booked.
    pub enabled: u8,
    /// Of this account's address.
    pub bump: u8,
    /// `DeviceModel::VERSION`.
    pub version: u8,
    pub _padding: [u8; 5],
}

impl DeviceModel {
    pub const SEED: &'static [u8] = b"model";
    pub const VERSION: u8 = 1;

    /// A model that can be booked.
    pub fn new(code: u16, args: &RegisterModelArgs, bump: u8) -> Self {
        Self {
            name: args.name,
            throughput: args.throughput,
            seq: 1,
            multiplier: args.multiplier,
            code,
            kind: args.kind,
            pool: args.pool,
            enabled: 1,
            bump,
            version: Self::VERSION,
            _padding: [0; 5],
        }
    }

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
