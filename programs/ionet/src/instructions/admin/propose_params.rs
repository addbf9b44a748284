use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ParamsProposed;
use crate::state::{Network, Params};
use crate::{clock, emit_event};

/// What both proposals need.
#[event_cpi]
#[derive(Accounts)]
pub struct Propose {
    pub authority: Signer,
    #[account(
        mut,
        seeds = [b"network"],
        bump,
        constraint(network.authority == *authority.address() @ IonetError::NotAuthority),
    )]
    pub network: Box<Account<Network>>,
}

/// Names new parameters; they can take effect after the timelock. Network authority. Overwrites an earlier proposal.
pub fn handler(ctx: &mut Context<Propose>, params: Params) -> Result<()> {
    let now = clock::now()?;
    let network = &mut ctx.accounts.network;
    // A proposal of an earlier version would lack the parameters that its migration fills in.
    require!(network.version == Network::VERSION, IonetError::UnknownVersion);
    params.validate(network.profile)?;
    let effective_at = network.effective_at(now)?;
    network.pending = params;
    network.pending_effective_at = effective_at;
    let proposed = ParamsProposed {
        network: *network.address(),
        seq: network.next_seq()?,
        at: now,
        effective_at,
        params: bytemuck::cast(params),
    };
    emit_event!(ctx, proposed);
    Ok(())
}
