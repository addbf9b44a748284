use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ModelChanged;
use crate::state::{DeviceModel, Network};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct SetModel {
    /// The network authority.
    pub authority: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump, constraint(network.authority == *authority.address() @ IonetError::NotAuthority))]
    pub network: Box<Account<Network>>,
    /// The device model.
    #[account(mut)]
    pub model: Box<Account<DeviceModel>>,
}

/// Stops new leases and extensions on a device model, or allows them again. Network authority, at once: like a pause it
/// touches no running lease.
pub fn handler(ctx: &mut Context<SetModel>, enabled: bool) -> Result<()> {
    let now = clock::now()?;
    let model = &mut ctx.accounts.model;
    model.enabled = u8::from(enabled);
    model.seq = math::add(model.seq, 1)?;
    let seq = model.seq;
    emit_event!(ctx, ModelChanged { model: *ctx.accounts.model.address(), seq, at: now, enabled });
    Ok(())
}
