use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::NodeFlagsChanged;
use crate::state::{Node, NODE_FLAG_ABSENT};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ReturnNode {
    /// The node's owner or device key.
    #[account(constraint((node.owner == *supplier.address() || node.device_key == *supplier.address()) @ IonetError::NotSupplier))]
    pub supplier: Signer,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
}

/// Owner or device key. The owner's own pause is not lifted.
pub fn handler(ctx: &mut Context<ReturnNode>) -> Result<()> {
    let now = clock::now()?;
    let node = &mut ctx.accounts.node;
    let before = node.flags;
    require!(before & NODE_FLAG_ABSENT != 0, IonetError::NodeNotAbsent);
    let after = before & !NODE_FLAG_ABSENT;
    node.flags = after;
    let seq = node.next_seq()?;
    emit_event!(ctx, NodeFlagsChanged { node: *ctx.accounts.node.address(), seq, at: now, before, after });
    Ok(())
}
