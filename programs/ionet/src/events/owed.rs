//! Payments that waited for their recipient.

use anchor_lang::prelude::*;

/// A recipient who could not be paid fetched what they were owed.
#[event]
pub struct OwedClaimed {
    pub owner: Address,
    pub mint: Address,
    pub at: i64,
    pub amount: u64,
}
