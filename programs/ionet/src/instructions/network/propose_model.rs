use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::ModelProposed;
use crate::state::{DeviceModel, ModelTerms, Network};
use crate::{clock, emit_event, math, nonce};

#[event_cpi]
#[derive(Accounts)]
pub struct ProposeModel {
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

/// Overwrites an earlier proposal.
pub fn handler(ctx: &mut Context<ProposeModel>, terms: ModelTerms) -> Result<()> {
    nonce::refuse(&ctx.accounts.instructions)?;
    terms.validate()?;
    let now = clock::now()?;
    let network = &ctx.accounts.network;
    let effective_at = math::add_time(now, u64::from(network.params.leave_secs()))?;
    let model = &mut ctx.accounts.model;
    model.propose(&terms, effective_at, network.authority_number);
    let proposed = ModelProposed {
        model: *model.address(),
        seq: model.next_seq()?,
        at: now,
        effective_at,
        pool: terms.pool,
        multiplier: terms.multiplier,
        throughput: terms.throughput,
        reference_price: terms.reference_price,
    };
    emit_event!(ctx, proposed);
    Ok(())
}
