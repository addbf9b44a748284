use anchor_lang::prelude::*;

use super::session::SessionAction;
use crate::error::IonetError;
use crate::events::LeaseApproved;
use crate::{clock, emit_event};

/// Lets intervals before `through_interval` be paid without waiting for the dispute window. Renter or session key;
/// `proof_head` names the proofs that were looked at.
pub fn handler(ctx: &mut Context<SessionAction>, through_interval: u32, proof_head: [u8; 32]) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let by = *ctx.accounts.authority.address();
    let cluster = *ctx.accounts.cluster.address();
    require!(ctx.accounts.cluster.may_act(&by, now), IonetError::NotRenterOrSession);
    let lease = &mut ctx.accounts.lease;
    require!(lease.has_run(), IonetError::WrongLeaseState);
    lease.catch_up(&at)?;
    require!(!lease.is_disputed(), IonetError::DisputeOpen);
    let proven = lease.closed_intervals(now).min(lease.ring_next);
    require!(through_interval > lease.approved_through && through_interval <= proven, IonetError::RangeNotApprovable);
    require!(proof_head == lease.proof_head, IonetError::ApprovalMismatch);
    lease.approved_through = through_interval;
    let event = LeaseApproved {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node: lease.node,
        cluster,
        through_interval,
        proof_head,
        by,
    };
    emit_event!(ctx, event);
    Ok(())
}
