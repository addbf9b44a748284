use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::state::{Network, Node, StakePosition};
use crate::unbonding::{cooldown, unbond};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct RequestUnbond {
    /// The position's staker.
    pub staker: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The staker's position on this node.
    #[account(
        mut,
        constraint((position.node == *node.address() && position.staker == *staker.address()) @ IonetError::WrongPosition),
    )]
    pub position: Box<Account<StakePosition>>,
}

/// Moves stake to the unbonding pool: it stops counting for new leases at once and stays slashable until it matures.
/// Staker; never refused while a ticket is free; a co-staker gives notice first. `amount` in base units of IO; more
/// than is bonded means all of it.
pub fn handler(ctx: &mut Context<RequestUnbond>, amount: u64) -> Result<()> {
    require!(amount > 0, IonetError::ZeroAmount);
    let now = clock::now()?;
    let cooldown = cooldown(&ctx.accounts.node, &ctx.accounts.position, &ctx.accounts.network.params);
    let slot = ctx.accounts.position.free_ticket()?;
    let staker = *ctx.accounts.staker.address();
    let node_key = *ctx.accounts.node.address();
    let moved = unbond(&mut ctx.accounts.node, &mut ctx.accounts.position, slot, amount, cooldown, now)?;
    let seq = ctx.accounts.node.next_seq()?;
    emit_event!(ctx, moved.event(node_key, seq, now, *ctx.accounts.position.address(), staker, &ctx.accounts.node));
    Ok(())
}
