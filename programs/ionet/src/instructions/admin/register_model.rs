#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ModelRegistered;
use crate::state::{DeviceModel, Network, KIND_CPU, MAX_MULTIPLIER, POOL_COMMUNITY};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
#[instruction(code: u16)]
pub struct RegisterModel {
    #[account(mut)]
    pub authority: Signer,
    #[account(seeds = [b"network"], bump, constraint(network.authority == *authority.address() @ IonetError::NotAuthority))]
    pub network: Box<Account<Network>>,
    #[account(init, payer = authority, seeds = [b"model", &code.to_le_bytes()], bump)]
    pub model: Box<Account<DeviceModel>>,
    pub system_program: Program<System>,
}

/// Adds a device model. Network authority; once per code. `multiplier` is × 100.
pub fn handler(
    ctx: &mut Context<RegisterModel>,
    code: u16,
    name: [u8; 32],
    kind: u8,
    pool: u8,
    multiplier: u32,
    throughput: u64,
) -> Result<()> {
    let named = name.first().is_some_and(|first| *first != 0);
    require!(named && kind <= KIND_CPU && pool <= POOL_COMMUNITY && multiplier <= MAX_MULTIPLIER, IonetError::BadModel);
    let now = clock::now()?;
    let bump = ctx.bumps.model;
    let model = &mut ctx.accounts.model;
    model.name = name;
    model.throughput = throughput;
    model.seq = 1;
    model.multiplier = multiplier;
    model.code = code;
    model.kind = kind;
    model.pool = pool;
    model.enabled = 1;
    model.bump = bump;
    model.version = DeviceModel::VERSION;
    emit_event!(
        ctx,
        ModelRegistered {
            model: *ctx.accounts.model.address(),
            seq: 1,
            at: now,
            code,
            name,
            kind,
            pool,
            multiplier,
            throughput,
        }
    );
    Ok(())
}
