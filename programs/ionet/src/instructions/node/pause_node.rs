use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::NodeFlagsChanged;
use crate::state::{Node, NODE_FLAG_PAUSED, NODE_FLAG_RETIRED};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct PauseNode {
    /// The node's owner.
    pub owner: Signer,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
}

/// A running lease is not touched.
pub fn handler(ctx: &mut Context<PauseNode>, paused: bool) -> Result<()> {
    let now = clock::now()?;
    let node = &mut ctx.accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED == 0, IonetError::NodeRetired);
    let before = node.flags;
    let after = if paused { before | NODE_FLAG_PAUSED } else { before & !NODE_FLAG_PAUSED };
    node.flags = after;
    let seq = node.next_seq()?;
    emit_event!(ctx, NodeFlagsChanged { node: *ctx.accounts.node.address(), seq, at: now, before, after });
    Ok(())
}
