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
