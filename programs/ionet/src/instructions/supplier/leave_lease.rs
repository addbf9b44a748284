use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::instructions::renter::end_lease::{end, EndLease};
use crate::state::{Lease, END_UNCHALLENGED, LEASE_ACTIVE};
use crate::{clock, emit_event};

/// Leaves a running lease without a charge because no challenge came for two intervals. Node owner. He must have
/// proven those intervals; they stay disputable and cannot be defended, so who says this falsely loses their pay.
pub fn handler(ctx: &mut Context<EndLease>) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    require!(ctx.accounts.node.owner == *ctx.accounts.authority.address(), IonetError::NotNodeOwner);
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_ACTIVE)?;
    require!(now < lease.ends_at, IonetError::LeaseEnded);
    let silent = u32::from(lease.tier1_intervals);
    require!(is_serving(lease, silent, now, slot)?, IonetError::NotServing);
    lease.unchallenged = silent;
    let ends_at = lease.proven_until().min(now);
    let event = end(&mut ctx.accounts, ends_at, now, END_UNCHALLENGED)?;
    emit_event!(ctx, event);
    Ok(())
}

/// Whether the last `count` intervals were proven, are not paid for yet, and nothing is due for missed time.
fn is_serving(lease: &Lease, count: u32, now: i64, slot: u64) -> Result<bool> {
    let restart = clock::last_restart_slot()?;
    let first = lease.ring_next.saturating_sub(count);
    let proven =
        lease.ring_next >= count && first >= lease.ring_base && (first..lease.ring_next).all(|at| lease.served(at) > 0);
    Ok(proven && lease.closed_intervals(now) <= lease.ring_next && lease.due_bps(now, slot, restart) == 0)
}
