use anchor_lang::prelude::*;

use crate::error::IonetError;

/// The books of IOSD: `supply = minted − redeemed − fee_burned`, `backing = io_burned − io_redeemed`.
#[account]
pub struct Iosd {
    /// IOSD ever minted, base units.
    pub minted: u64,
    /// IOSD ever redeemed.
    pub redeemed: u64,
    /// IOSD burned as fees.
    pub fee_burned: u64,
    /// IO burned to mint IOSD.
    pub io_burned: u64,
    /// IO minted by redemptions.
    pub io_redeemed: u64,
    /// IO burned for other reasons (slashes, fees, buybacks).
    pub io_other_burned: u64,
    /// Publish time of the last price used, unix seconds; prices never go back.
    pub last_publish_time: i64,
    /// Micro-dollars per IO that the last mint was valued at.
    pub last_price: u64,
    /// Limiter: start of the window and what passed in it.
    pub mint_window_start: i64,
    pub mint_window_amount: u64,
    pub redeem_window_start: i64,
    pub redeem_window_amount: u64,
    pub seq: u64,
    pub bump: u8,
    pub version: u8,
    pub reserved: [u8; 6],
    /// Micro-dollars per IO (rounded up) that the last price seen puts on IO that goes out; 0 = none yet.
    pub last_high_price: u64,
    pub reserved_tail: [u8; 40],
}

impl Iosd {
    pub const SEED: &'static [u8] = b"iosd";
    pub const VERSION: u8 = 1;

    /// IOSD that the books say exist.
    pub fn supply(&self) -> Result<u64> {
        self.minted
            .checked_sub(self.redeemed)
            .and_then(|left| left.checked_sub(self.fee_burned))
            .ok_or_else(|| IonetError::Overflow.into())
    }
}
