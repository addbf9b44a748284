#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::ModelRegistered;
use crate::state::{DeviceModel, Network, RegisterModelArgs};
use crate::{clock, emit_event, nonce};

#[event_cpi]
#[derive(Accounts)]
#[instruction(code: u16)]
pub struct RegisterModel {
    /// The network authority; pays the rent.
    #[account(mut)]
    pub authority: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump, constraint(network.authority == *authority.address() @ IonetError::NotAuthority))]
    pub network: Box<Account<Network>>,
    /// The model to be created.
    #[account(init, payer = authority, seeds = [DeviceModel::SEED, &code.to_le_bytes()], bump)]
    pub model: Box<Account<DeviceModel>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// A code can be registered once.
pub fn handler(ctx: &mut Context<RegisterModel>, code: u16, args: RegisterModelArgs) -> Result<()> {
    nonce::refuse(&ctx.accounts.instructions)?;
    args.validate()?;
    let model = &mut ctx.accounts.model;
    ***model = DeviceModel::new(code, &args, ctx.bumps.model);
    let registered = ModelRegistered {
        model: *model.address(),
        seq: model.seq,
        at: clock::now()?,
        code,
        name: args.name,
        kind: args.kind,
        pool: args.pool,
        multiplier: args.multiplier,
        throughput: args.throughput,
        reference_price: args.reference_price,
    };
    emit_event!(ctx, registered);
    Ok(())
}
