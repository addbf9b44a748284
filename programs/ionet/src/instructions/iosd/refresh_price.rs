use anchor_lang::prelude::*;

use crate::events::PriceRefreshed;
use crate::oracle::Price;
use crate::state::{Iosd, Network};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct RefreshPrice {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD.
    #[account(mut, seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// CHECK: a Pyth price update; the oracle module checks it.
    pub price_update: UncheckedAccount,
}

/// Anyone: as long as one exists, nobody can redeem IOSD at an older rate.
pub fn handler(ctx: &mut Context<RefreshPrice>) -> Result<()> {
    let now = clock::now()?;
    let (network, iosd) = (&ctx.accounts.network, &mut ctx.accounts.iosd);
    let price = Price::load(&ctx.accounts.price_update, network, iosd, now)?;
    iosd.use_price(&price)?;
    iosd.next_seq()?;
    let iosd = &ctx.accounts.iosd;
    emit_event!(
        ctx,
        PriceRefreshed {
            iosd: *iosd.address(),
            seq: iosd.seq,
            at: now,
            low_price: iosd.last_price,
            high_price: iosd.last_high_price,
            publish_time: iosd.last_publish_time,
        }
    );
    Ok(())
}
