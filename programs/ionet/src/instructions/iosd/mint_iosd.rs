use anchor_lang::prelude::*;

use super::minting::{load_price, mint, MintIosd};
use crate::error::IonetError;

/// Burns IO and mints what it is worth at the low end of the price, less the spread that stays in the backing.
/// The only way IOSD comes into being. `io_amount` and `min_iosd` in base units.
pub fn handler(ctx: &mut Context<MintIosd>, io_amount: u64, min_iosd: u64) -> Result<()> {
    require!(io_amount > 0, IonetError::ZeroAmount);
    let price = load_price(&ctx.accounts)?;
    let iosd_amount = price.mint_out(io_amount, ctx.accounts.network.params.spread_bps)?;
    require!(iosd_amount > 0, IonetError::ZeroAmount);
    require!(iosd_amount >= min_iosd, IonetError::SlippageExceeded);
    mint(ctx, &price, io_amount, iosd_amount)
}
