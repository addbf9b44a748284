//! Machines: terms, keys, flags, slashes.

use anchor_lang::prelude::*;

#[event]
pub struct NodeRegistered {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub owner: Address,
    pub device_key: Address,
    pub model: u16,
    pub processors: u8,
    pub payout: Address,
    pub fee_payer: Address,
    pub price: u64,
    pub min_duration: u32,
    pub max_duration: u32,
    pub min_coverage_bps: u32,
    pub country: u16,
    pub region: u8,
    pub currencies: u8,
    pub terms_seq: u32,
}

#[event]
pub struct NodeUpdated {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub payout: Address,
    pub fee_payer: Address,
    pub price_before: u64,
    pub price: u64,
    pub min_duration: u32,
    pub max_duration: u32,
    pub min_coverage_bps: u32,
    pub country: u16,
    pub region: u8,
    pub currencies: u8,
    pub terms_seq: u32,
}

#[event]
pub struct DeviceKeyRotated {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub before: Address,
    pub after: Address,
}

/// The owner paused, resumed or retired the node, it was not ready in time (absent), or said that it is there again.
#[event]
pub struct NodeFlagsChanged {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub before: u8,
    pub after: u8,
}

/// Income goes to `payout`, and only that address can end this before `until`.
#[event]
pub struct PayoutLocked {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub payout_before: Address,
    pub payout: Address,
    pub until_before: i64,
    pub until: i64,
}

/// The owner may change the payout again.
#[event]
pub struct PayoutReleased {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub payout: Address,
    pub until_before: i64,
}

#[event]
pub struct NodeSlashed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    /// Zero for a decided case.
    pub lease: Address,
    /// 1 = missed time, 2 = quit, 3 = broken promise, 4 = decided case.
    pub reason: u8,
    pub bps: u16,
    /// Seconds that this slash is for.
    pub missed_secs: u64,
    pub amount: u64,
    pub from_bonded: u64,
    pub from_unbonding: u64,
    pub to_renter: u64,
    pub to_reporter: u64,
    pub burned: u64,
    pub reporter: Address,
    pub bonded_after: u64,
    pub unbonding_after: u64,
}
