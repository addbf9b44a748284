use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::PayoutReleased;
use crate::state::Node;
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ReleasePayout {
    /// Whom the payout is locked to.
    #[account(constraint(node.payout == *beneficiary.address() @ IonetError::PayoutNotLocked))]
    pub beneficiary: Signer,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
}

/// The payout stays where it is until the owner changes it.
pub fn handler(ctx: &mut Context<ReleasePayout>) -> Result<()> {
    let now = clock::now()?;
    let node = &mut ctx.accounts.node;
    require!(node.is_locked(now), IonetError::PayoutNotLocked);
    let until_before = core::mem::take(&mut node.payout_locked_until);
    let (payout, seq) = (node.payout, node.next_seq()?);
    emit_event!(ctx, PayoutReleased { node: *ctx.accounts.node.address(), seq, at: now, payout, until_before });
    Ok(())
}
