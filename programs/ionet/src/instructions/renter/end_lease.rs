use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::LeaseEnded;
use crate::state::{Cluster, Lease, Node, END_RENTER, END_SUPPLIER_FAULT, LEASE_ACTIVE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct EndLease {
    /// The renter; anyone once the supplier has missed too much.
    pub authority: Signer,
    #[account(mut)]
    pub cluster: Account<Cluster>,
    #[account(mut)]
    pub node: Account<Node>,
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Account<Lease>,
}

/// Ends a running lease. After `fault_after_secs` of missed time anyone may, as the supplier's fault; before that only
/// the renter, who then pays the minimum charge if nothing was missed.
pub fn handler(ctx: &mut Context<EndLease>) -> Result<()> {
    let now = clock::now()?;
    let by = *ctx.accounts.authority.address();
    let node_key = *ctx.accounts.node.address();
    let (cluster, node, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node, &mut ctx.accounts.lease);
    lease.require_status(LEASE_ACTIVE)?;
    require!(now < lease.ends_at, IonetError::LeaseEnded);

    let unserved = lease.unserved_secs(now);
    let fault = unserved > u64::from(lease.fault_after_secs);
    require!(fault || by == cluster.renter, IonetError::NotSupplierFault);
    let ends_at_before = lease.ends_at;
    if !fault && unserved == 0 {
        lease.due_min_secs = lease.min_charge_secs.min(lease.duration);
    }
    let reason = if fault { END_SUPPLIER_FAULT } else { END_RENTER };
    lease.end(now, reason);
    let lease_key = *lease.address();
    node.vacate(&lease_key, now, lease.maturity_delay())?;
    cluster.leave_head(&lease_key);
    cluster.last_activity_at = now;
    let event = LeaseEnded {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        node: node_key,
        node_seq: node.next_seq()?,
        cluster: *cluster.address(),
        reason,
        ends_at_before,
        ends_at: lease.ends_at,
        due_min_secs: lease.due_min_secs,
        by,
    };
    emit_event!(ctx, event);
    Ok(())
}
