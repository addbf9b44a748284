use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::DeviceKeyRotated;
use crate::state::Node;
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct RotateDeviceKey {
    /// The node's owner.
    pub owner: Signer,
    /// Signs to show that it is held.
    pub new_device_key: Signer,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
}

/// Replaces the key that signs readiness and proofs; the node's address stays. Owner and new key sign.
pub fn handler(ctx: &mut Context<RotateDeviceKey>) -> Result<()> {
    let now = clock::now()?;
    let after = *ctx.accounts.new_device_key.address();
    let node = &mut ctx.accounts.node;
    let before = node.device_key;
    node.device_key = after;
    let seq = node.next_seq()?;
    emit_event!(ctx, DeviceKeyRotated { node: *ctx.accounts.node.address(), seq, at: now, before, after });
    Ok(())
}
