use anchor_lang::prelude::*;

use super::minting::{load_price, mint, MintIosd};
use crate::error::IonetError;

/// Mints exactly `iosd_amount` and burns as much IO as that takes, at most `max_io`, rounded up.
pub fn handler(ctx: &mut Context<MintIosd>, iosd_amount: u64, max_io: u64) -> Result<()> {
    require!(iosd_amount > 0, IonetError::ZeroAmount);
    let price = load_price(&ctx.accounts)?;
    let io_amount = price.mint_in(iosd_amount, ctx.accounts.network.params.spread_bps)?;
    require!(io_amount <= max_io, IonetError::SlippageExceeded);
    mint(ctx, &price, io_amount, iosd_amount)
}
