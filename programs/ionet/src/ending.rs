//! The one end of a running lease: the meter stops, the node is free, the head may pass on, the event says why.

use anchor_lang::prelude::*;

use crate::events::LeaseEnded;
use crate::state::{Cluster, Lease, Node};

/// Why a lease ends, and when.
pub struct End {
    /// Nothing later than this can be proven; unix seconds.
    pub ends_at: i64,
    /// One of `END_REASON_…`.
    pub reason: u8,
    /// Who ended it; zero when its time was over.
    pub by: Address,
    /// How many intervals before the end are named as unchallenged.
    pub unchallenged: u32,
}

/// Ends `lease` and frees `node`. The next lease accepted becomes the head if this one was it.
#[inline(never)]
pub fn end(
    cluster: &mut Account<Cluster>,
    node: &mut Account<Node>,
    lease: &mut Account<Lease>,
    end: End,
    now: i64,
) -> Result<LeaseEnded> {
    let (lease_key, ends_at_before) = (*lease.address(), lease.ends_at);
    lease.end(end.ends_at, end.reason);
    lease.burn_last(end.unchallenged)?;
    node.count_unsettled(lease)?;
    node.vacate(&lease_key, now, lease.maturity_delay())?;
    cluster.leave_head(&lease_key);
    cluster.last_activity_at = now;
    Ok(LeaseEnded {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        node: *node.address(),
        node_seq: node.next_seq()?,
        cluster: *cluster.address(),
        reason: end.reason,
        ends_at_before,
        ends_at: lease.ends_at,
        rest_secs: lease.rest_secs,
        burned_secs: lease.burned_secs,
        pending_bps: lease.pending_bps,
        by: end.by,
    })
}
