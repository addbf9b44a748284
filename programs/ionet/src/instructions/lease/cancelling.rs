//! The one end of a lease whose meter never ran.

use anchor_lang::prelude::*;

use crate::events::LeaseCancelled;
use crate::math;
use crate::state::{Cluster, Lease, Node};

/// Why a lease that never started ends, and what is owed for it.
pub struct Cancellation {
    /// One of `END_REASON_…`.
    pub reason: u8,
    /// Who rejected it; zero when a deadline passed.
    pub by: Address,
    /// Seconds that the supplier is paid.
    pub unanswered_secs: u32,
    /// Seconds that the renter pays and nobody gets.
    pub burned_secs: u32,
}

/// Cancels `lease`, frees `node`, and releases what is locked beyond what is owed.
#[inline(never)]
pub fn cancel(
    cluster: &mut Account<Cluster>,
    node: &mut Account<Node>,
    lease: &mut Account<Lease>,
    end: &Cancellation,
    now: i64,
) -> Result<LeaseCancelled> {
    let lease_key = *lease.address();
    lease.cancel(end.reason);
    if end.unanswered_secs > 0 {
        node.count_unsettled(lease)?;
    }
    lease.unanswered_secs = end.unanswered_secs;
    lease.burned_secs = end.burned_secs;
    let (price, fee) = lease.cost(u64::from(end.unanswered_secs))?;
    let burned = math::earned(lease.price, lease.processors, u64::from(end.burned_secs))?;
    let kept = math::add(price, fee)?;
    let released = math::sub(math::sub(lease.locked, kept)?, burned)?;
    cluster.burn(burned)?;
    cluster.unlock(released)?;
    cluster.last_activity_at = now;
    lease.burned = burned;
    lease.locked = kept;
    node.vacate(&lease_key, now, 0)?;
    Ok(LeaseCancelled {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        node: *node.address(),
        node_seq: node.next_seq()?,
        cluster: *cluster.address(),
        cluster_seq: cluster.next_seq()?,
        reason: end.reason,
        by: end.by,
        unanswered_secs: end.unanswered_secs,
        burned,
        released,
        cluster_fees_after: cluster.fees,
        cluster_locked_after: cluster.locked,
    })
}
