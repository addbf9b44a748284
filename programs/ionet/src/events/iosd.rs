//! Mints and burns.

use anchor_lang::prelude::*;

#[event]
pub struct IosdMinted {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub wallet: Address,
    pub io_burned: u64,
    pub iosd_minted: u64,
    /// Micro-dollars per IO that the burned IO was valued at.
    pub price: u64,
    pub publish_time: i64,
    pub minted_after: u64,
    pub io_burned_after: u64,
}

#[event]
pub struct TokensBurned {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub mint: Address,
    pub amount: u64,
    /// IOSD: fees burned so far; IO: burned so far for other reasons than minting.
    pub burned_after: u64,
}

#[event]
pub struct IosdRedeemed {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub wallet: Address,
    pub iosd_burned: u64,
    pub io_minted: u64,
    /// Micro-dollars per IO that the minted IO was valued at, rounded up.
    pub price: u64,
    /// Of the price used; the last one seen when `last_rate`.
    pub publish_time: i64,
    pub last_rate: bool,
    pub redeemed_after: u64,
    pub io_redeemed_after: u64,
}

/// Somebody showed the program a valid price; redemption at the last rate is closed for another day.
#[event]
pub struct PriceRefreshed {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub low_price: u64,
    pub high_price: u64,
    pub publish_time: i64,
}

/// Fees in USDC bought IO, which was burned at once.
#[event]
pub struct IoBoughtBack {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub seller: Address,
    pub io_burned: u64,
    pub usdc_paid: u64,
    pub price: u64,
    pub publish_time: i64,
    /// IO burned so far for other reasons than minting.
    pub io_other_burned_after: u64,
}
