use anchor_lang::prelude::*;

use super::mint_iosd::{load_price, mint, MintIosd};
use crate::constants::BPS;
use crate::error::IonetError;
use crate::math;

/// Mints exactly `iosd_amount` and burns as much IO as that takes, at most `max_io`, rounded up.
pub fn handler(ctx: &mut Context<MintIosd>, iosd_amount: u64, max_io: u64) -> Result<()> {
    require!(iosd_amount > 0, IonetError::ZeroAmount);
    let price = load_price(&ctx.accounts)?;
    // The value of which, less the spread, at least `iosd_amount` is left.
    let kept = math::sub(BPS, u64::from(ctx.accounts.network.params.spread_bps))?;
    let value = math::to_u64(math::mul_div_ceil(u128::from(iosd_amount), u128::from(BPS), u128::from(kept))?)?;
    let io_amount = price.io_in(value)?;
    require!(io_amount <= max_io, IonetError::SlippageExceeded);
    mint(ctx, &price, io_amount, iosd_amount)
}
