use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::PayoutLocked;
use crate::state::{Lease, Node, CURRENCY_IO};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct LockPayout {
    /// The node's owner.
    pub owner: Signer,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
    /// The lease that occupies the node, if any: it must not have been booked below what a booking costs now.
    pub lease: Option<Box<Account<Lease>>>,
}

/// Pays the node's income to `beneficiary` until `until`, and so long its price cannot fall, nor the co-stakers' part of
/// income rise. Owner; a lock is only made longer, and only that address releases it.
pub fn handler(ctx: &mut Context<LockPayout>, beneficiary: Address, until: i64) -> Result<()> {
    let now = clock::now()?;
    let (node, lease) = (&mut ctx.accounts.node, &ctx.accounts.lease);
    if node.current_lease != Address::default() {
        let lease = lease.as_ref().ok_or(IonetError::WrongNode)?;
        require!(*lease.address() == node.current_lease, IonetError::WrongNode);
        let dear_enough = lease.currency != CURRENCY_IO && lease.price >= node.lowest_price();
        require!(dear_enough, IonetError::FloorLocked);
    }
    let (payout_before, until_before) = (node.payout, node.payout_locked_until);
    node.lock_payout(beneficiary, until, now)?;
    let locked = PayoutLocked {
        node: *node.address(),
        seq: node.next_seq()?,
        at: now,
        payout_before,
        payout: node.payout,
        until_before,
        until,
    };
    emit_event!(ctx, locked);
    Ok(())
}
