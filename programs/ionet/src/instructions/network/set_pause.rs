use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::PauseChanged;
use crate::state::{Network, PAUSE_ALL};
use crate::{clock, emit_event, nonce};

#[event_cpi]
#[derive(Accounts)]
pub struct SetPause {
    /// The pauser or the network authority.
    pub pauser: Signer,
    /// Roles and parameters.
    #[account(
        mut,
        seeds = [b"network"],
        bump,
        constraint((network.pauser == *pauser.address() || network.authority == *pauser.address()) @ IonetError::NotPauser),
    )]
    pub network: Box<Account<Network>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
}

/// Exits have no bit: they cannot be paused.
pub fn handler(ctx: &mut Context<SetPause>, bits: u64) -> Result<()> {
    require!(bits & !PAUSE_ALL == 0, IonetError::NotPauser);
    nonce::refuse(&ctx.accounts.instructions)?;
    let now = clock::now()?;
    let by = *ctx.accounts.pauser.address();
    let network = &mut ctx.accounts.network;
    let before = network.pause_bits;
    network.pause_bits = bits;
    let seq = network.next_seq()?;
    emit_event!(ctx, PauseChanged { network: *ctx.accounts.network.address(), seq, at: now, before, after: bits, by });
    Ok(())
}
