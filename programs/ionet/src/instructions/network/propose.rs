use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::state::Network;

/// What both proposals need.
#[event_cpi]
#[derive(Accounts)]
pub struct Propose {
    /// The network authority.
    pub authority: Signer,
    /// Roles and parameters.
    #[account(
        mut,
        seeds = [b"network"],
        bump,
        constraint(network.authority == *authority.address() @ IonetError::NotAuthority),
    )]
    pub network: Box<Account<Network>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
}
