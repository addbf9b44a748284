use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ModelChanged;
use crate::state::{DeviceModel, Network};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ApplyModel {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The device model.
    #[account(mut)]
    pub model: Box<Account<DeviceModel>>,
}

/// Anyone, once the wait is over; what an earlier authority proposed is void.
pub fn handler(ctx: &mut Context<ApplyModel>) -> Result<()> {
    let now = clock::now()?;
    let (network, model) = (&ctx.accounts.network, &mut ctx.accounts.model);
    let pending = model.pending_at != 0 && model.pending_by == network.authority_number;
    require!(pending, IonetError::NothingPending);
    require!(now >= model.pending_at, IonetError::TimelockRunning);
    model.apply();
    let changed = ModelChanged {
        model: *model.address(),
        seq: model.next_seq()?,
        at: now,
        pool: model.pool,
        multiplier: model.multiplier,
        throughput: model.throughput,
        reference_price: model.reference_price,
    };
    emit_event!(ctx, changed);
    Ok(())
}
