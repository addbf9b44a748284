use anchor_lang::prelude::*;
use bytemuck::Zeroable;

use crate::constants::MAX_PRICE;
use crate::error::IonetError;
use crate::math;

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
    /// Micro-dollars per processor-hour that prices and rewards are measured by; 0 = not set.
    pub reference_price: u64,
}

impl RegisterModelArgs {
    pub fn validate(&self) -> Result<()> {
        require!(is_name(&self.name) && self.kind <= DEVICE_KIND_CPU, IonetError::BadModel);
        self.terms().validate()
    }

    fn terms(&self) -> ModelTerms {
        ModelTerms {
            pool: self.pool,
            multiplier: self.multiplier,
            throughput: self.throughput,
            reference_price: self.reference_price,
        }
    }
}

/// Text, and nothing but zeros after its first zero.
fn is_name(name: &[u8; 32]) -> bool {
    let len = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let (text, rest) = name.split_at(len);
    len > 0 && rest.iter().all(|byte| *byte == 0) && core::str::from_utf8(text).is_ok()
}

/// What can change about a device model.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ModelTerms {
    /// One of `DEVICE_POOL_…`.
    pub pool: u8,
    /// Earning multiplier × 100.
    pub multiplier: u32,
    /// Work units per second that compute proofs scale to; 0 = not set.
    pub throughput: u64,
    /// Micro-dollars per processor-hour; 0 = not set.
    pub reference_price: u64,
}

impl ModelTerms {
    pub fn validate(&self) -> Result<()> {
        let known = self.pool <= DEVICE_POOL_COMMUNITY;
        require!(known && self.multiplier <= MAX_MULTIPLIER && self.reference_price <= MAX_PRICE, IonetError::BadModel);
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
    /// Micro-dollars per processor-hour that prices and rewards are measured by; 0 = not set.
    pub reference_price: u64,
    /// Successor of `throughput`.
    pub pending_throughput: u64,
    /// Successor of `reference_price`.
    pub pending_reference_price: u64,
    /// When what is pending may take effect, unix seconds; 0 = nothing is.
    pub pending_at: i64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Earning multiplier × 100.
    pub multiplier: u32,
    /// Successor of `multiplier`.
    pub pending_multiplier: u32,
    /// `Network::authority_number` of whoever proposed it; void under another.
    pub pending_by: u32,
    /// Part of this account's address.
    pub code: u16,
    /// One of `DEVICE_KIND_…`.
    pub kind: u8,
    /// One of `DEVICE_POOL_…`.
    pub pool: u8,
    /// Successor of `pool`.
    pub pending_pool: u8,
    /// 1 = can be booked.
    pub enabled: u8,
    /// Of this account's address.
    pub bump: u8,
    /// `DeviceModel::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 36],
}

impl DeviceModel {
    pub const SEED: &'static [u8] = b"model";
    pub const VERSION: u8 = 1;

    /// A model that can be booked.
    pub fn new(code: u16, args: &RegisterModelArgs, bump: u8) -> Self {
        Self {
            name: args.name,
            throughput: args.throughput,
            reference_price: args.reference_price,
            seq: 1,
            multiplier: args.multiplier,
            code,
            kind: args.kind,
            pool: args.pool,
            enabled: 1,
            bump,
            version: Self::VERSION,
            ..Self::zeroed()
        }
    }

    /// Notes other terms for later.
    pub fn propose(&mut self, terms: &ModelTerms, effective_at: i64, authority_number: u32) {
        self.pending_pool = terms.pool;
        self.pending_multiplier = terms.multiplier;
        self.pending_throughput = terms.throughput;
        self.pending_reference_price = terms.reference_price;
        self.pending_at = effective_at;
        self.pending_by = authority_number;
    }

    /// Puts them into effect.
    pub fn apply(&mut self) {
        self.pool = self.pending_pool;
        self.multiplier = self.pending_multiplier;
        self.throughput = self.pending_throughput;
        self.reference_price = self.pending_reference_price;
        self.propose(&ModelTerms { pool: 0, multiplier: 0, throughput: 0, reference_price: 0 }, 0, 0);
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }

    /// IO that a node of this model must have bonded: `stake_per_processor · max(1, multiplier) · processors`.
    pub fn required_stake(&self, stake_per_processor: u64, processors: u8) -> Result<u64> {
        const ONE: u64 = 100;
        let times = u64::from(self.multiplier).max(ONE).saturating_mul(u64::from(processors));
        math::to_u64(math::mul_div_ceil(stake_per_processor.into(), times.into(), ONE.into())?)
    }
}
