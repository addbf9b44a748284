//! Renters' budgets.

use anchor_lang::prelude::*;

#[event]
pub struct ClusterOpened {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub renter: Address,
    pub id: u64,
    pub kind: u8,
    pub currency: u8,
    pub mint: Address,
    pub deposit: u64,
    pub session_key: Address,
    pub session_expires_at: i64,
    pub config_hash: [u8; 32],
}

#[event]
pub struct BudgetWithdrawn {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub amount: u64,
    pub refunded_after: u64,
}

#[event]
pub struct SessionKeyChanged {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub before: Address,
    pub after: Address,
    pub expires_at: i64,
}

#[event]
pub struct ClusterClosed {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub renter: Address,
    pub id: u64,
    pub deposit: u64,
    pub paid: u64,
    pub fees: u64,
    /// Of `fees`, the price of time that the renter owed and nobody got.
    pub burned: u64,
    pub fees_to_burn: u64,
    pub refunded: u64,
    /// The part of `refunded` that moved now.
    pub refund: u64,
    /// Tokens beyond the books that somebody had sent to the vault.
    pub surplus: u64,
    /// The refund went to the payer's owed account.
    pub owed: bool,
    /// What the fee vault could not receive of fees and surplus: it waits in the network's owed account.
    pub fees_owed: u64,
}
