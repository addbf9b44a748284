use anchor_lang::prelude::*;

use crate::constants::MAX_TICKETS;
use crate::error::IonetError;
use crate::events::{NodeFlagsChanged, UnbondRequested};
use crate::state::{Network, Node, StakePosition, NODE_FLAG_RETIRED};
use crate::unbonding::unbond;
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct RetireNode {
    /// The node's owner.
    pub owner: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
    /// The owner's stake; absent when they have none.
    #[account(
        mut,
        constraint((position.node == *node.address() && position.staker == *owner.address()) @ IonetError::WrongPosition),
    )]
    pub position: Option<Box<Account<StakePosition>>>,
}

/// A running lease is finished; after the cooldown anyone may push the withdrawal.
pub fn handler(ctx: &mut Context<RetireNode>) -> Result<()> {
    let now = clock::now()?;
    let cooldown = ctx.accounts.network.params.unbond_cooldown_secs;
    let (owner, node_key) = (*ctx.accounts.owner.address(), *ctx.accounts.node.address());
    let node = &mut ctx.accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED == 0, IonetError::NodeRetired);
    let before = node.flags;
    let after = before | NODE_FLAG_RETIRED;
    node.flags = after;
    let flags_seq = node.next_seq()?;

    let staked = node.bonded.worth(node.owner_bonded_shares.get())? > 0;
    let mut moved: Option<UnbondRequested> = None;
    if staked {
        let position = ctx.accounts.position.as_mut().ok_or(IonetError::WrongPosition)?;
        // With eight tickets open the last one is merged: retiring is never refused.
        let slot = position.free_ticket().unwrap_or(MAX_TICKETS.saturating_sub(1));
        let position_key = *position.address();
        let unbonded = unbond(node, position, slot, u64::MAX, cooldown, now)?;
        let seq = node.next_seq()?;
        moved = Some(unbonded.event(node_key, seq, now, position_key, owner, node));
    }
    emit_event!(ctx, NodeFlagsChanged { node: node_key, seq: flags_seq, at: now, before, after });
    if let Some(event) = moved {
        emit_event!(ctx, event);
    }
    Ok(())
}
