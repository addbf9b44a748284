use anchor_lang::prelude::*;

use crate::constants::MAX_TICKETS;
use crate::error::IonetError;
use crate::state::{Network, Node, StakePosition, NODE_FLAG_RETIRED};
use crate::unbonding::{cooldown, unbond};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct PushUnbond {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The staker's position on this node.
    #[account(mut, constraint(position.node == *node.address() @ IonetError::WrongPosition))]
    pub position: Box<Account<StakePosition>>,
}

/// Anyone, so that its vault can be emptied without them.
pub fn handler(ctx: &mut Context<PushUnbond>) -> Result<()> {
    let now = clock::now()?;
    let node_key = *ctx.accounts.node.address();
    let (node, position) = (&mut ctx.accounts.node, &mut ctx.accounts.position);
    require!(node.flags & NODE_FLAG_RETIRED != 0, IonetError::NodeNotRetired);
    let cooldown = cooldown(node, position, &ctx.accounts.network.params);
    // With eight tickets open the last one is merged, as when the owner retires.
    let slot = position.free_ticket().unwrap_or(MAX_TICKETS.saturating_sub(1));
    let (staker, position_key) = (position.staker, *position.address());
    let moved = unbond(node, position, slot, u64::MAX, cooldown, now)?;
    let seq = node.next_seq()?;
    emit_event!(ctx, moved.event(node_key, seq, now, position_key, staker, &ctx.accounts.node));
    Ok(())
}
