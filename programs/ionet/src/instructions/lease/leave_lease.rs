use anchor_lang::prelude::*;

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::state::{Cluster, Lease, Node, END_REASON_UNCHALLENGED, LEASE_STATUS_ACTIVE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct LeaveLease {
    /// The node's owner.
    pub owner: Signer,
    /// The cluster that the lease belongs to.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The node that leaves.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
    /// The lease to leave.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
}

/// The supplier must have proven the intervals without a challenge. They stay disputable and cannot be defended, so
/// saying this falsely loses their pay.
pub fn handler(ctx: &mut Context<LeaveLease>) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let by = *ctx.accounts.owner.address();
    let (cluster, node) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node);
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_STATUS_ACTIVE)?;
    require!(now < lease.ends_at, IonetError::LeaseOver);
    let silent = u32::from(lease.tier1_intervals);
    require!(is_serving(lease, silent, now, slot)?, IonetError::NotServing);
    lease.unchallenged = silent;
    let ends_at = lease.proven_until().min(now);
    let end = End { ends_at, reason: END_REASON_UNCHALLENGED, by };
    let event = ending::end(cluster, node, lease, end, now)?;
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
