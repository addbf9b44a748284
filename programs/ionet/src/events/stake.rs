//! Stake coming and going; numbered by the node.

use anchor_lang::prelude::*;

#[event]
pub struct Staked {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    pub shares: u128,
    pub bonded_before: u64,
    pub bonded_after: u64,
    pub bonded_shares_after: u128,
    pub era: u32,
}

#[event]
pub struct UnbondRequested {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub ticket: u8,
    pub amount: u64,
    pub shares_burned: u128,
    pub ticket_shares: u128,
    pub ticket_era: u32,
    pub matures_at: i64,
    pub bonded_after: u64,
    pub unbonding_after: u64,
}

#[event]
pub struct StakeWithdrawn {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    /// Bit i = ticket i was paid.
    pub tickets: u8,
    pub unbonding_before: u64,
    pub unbonding_after: u64,
    pub position_closed: bool,
}
