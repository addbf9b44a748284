//! Roles, parameters, device models.

use anchor_lang::prelude::*;

#[event]
pub struct NetworkInitialized {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub authority: Address,
    pub pauser: Address,
    pub arbiter: Address,
    pub io_mint: Address,
    pub iosd_mint: Address,
    pub usdc_mint: Address,
    pub feed_id: [u8; 32],
    pub genesis_owner: Address,
    pub genesis_amount: u64,
    pub profile: u8,
}

#[event]
pub struct PauseChanged {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub before: u64,
    pub after: u64,
    pub by: Address,
}

#[event]
pub struct ModelRegistered {
    pub model: Address,
    pub seq: u64,
    pub at: i64,
    pub code: u16,
    pub name: [u8; 32],
    pub kind: u8,
    pub pool: u8,
    /// × 100
    pub multiplier: u32,
    pub throughput: u64,
    /// Micro-dollars per processor-hour; 0 = not set.
    pub reference_price: u64,
}

/// New parameters, to take effect at `effective_at`.
#[event]
pub struct ParamsProposed {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub effective_at: i64,
    /// The bytes of `Params`.
    pub params: [u8; 256],
}

#[event]
pub struct ParamsChanged {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub params: [u8; 256],
}

#[event]
pub struct RoleProposed {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    /// 1 authority, 2 pauser, 3 arbiter, 4 oracle feed.
    pub role: u8,
    pub value: [u8; 32],
    pub effective_at: i64,
}

#[event]
pub struct RoleChanged {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub role: u8,
    pub before: [u8; 32],
    pub after: [u8; 32],
}

#[event]
pub struct ModelEnabled {
    pub model: Address,
    pub seq: u64,
    pub at: i64,
    pub enabled: bool,
}

/// New terms of a device model, to take effect at `effective_at`.
#[event]
pub struct ModelProposed {
    pub model: Address,
    pub seq: u64,
    pub at: i64,
    pub effective_at: i64,
    pub pool: u8,
    /// × 100
    pub multiplier: u32,
    pub throughput: u64,
    pub reference_price: u64,
}

/// Terms of a device model that are in force now.
#[event]
pub struct ModelChanged {
    pub model: Address,
    pub seq: u64,
    pub at: i64,
    pub pool: u8,
    /// × 100
    pub multiplier: u32,
    pub throughput: u64,
    pub reference_price: u64,
}
