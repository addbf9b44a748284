use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::ModelEnabled;
use crate::state::{DeviceModel, Network};
use crate::{clock, emit_event, nonce};

#[event_cpi]
#[derive(Accounts)]
pub struct SetModel {
    /// The network authority.
    pub authority: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump, constraint(network.authority == *authority.address() @ IonetError::NotAuthority))]
    pub network: Box<Account<Network>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
    /// The device model.
    #[account(mut)]
    pub model: Box<Account<DeviceModel>>,
}

/// Stops new leases and extensions on a device model, or allows them again. Network authority, at once: like a pause it
/// touches no running lease.
pub fn handler(ctx: &mut Context<SetModel>, enabled: bool) -> Result<()> {
    nonce::refuse(&ctx.accounts.instructions)?;
    let now = clock::now()?;
    let model = &mut ctx.accounts.model;
    model.enabled = u8::from(enabled);
    let seq = model.next_seq()?;
    emit_event!(ctx, ModelEnabled { model: *ctx.accounts.model.address(), seq, at: now, enabled });
    Ok(())
}
