use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::LeaseEnded;
use crate::state::{Cluster, Lease, Node, END_RENTER, END_SUPPLIER_FAULT, LEASE_ACTIVE};
use crate::{clock, emit_event};

/// What ends a running lease early without a slash.
#[event_cpi]
#[derive(Accounts)]
pub struct EndLease {
    /// `end_lease`: the renter, or anyone once the supplier has missed too much. `leave_lease`: the node's owner.
    pub authority: Signer,
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    #[account(mut)]
    pub node: Box<Account<Node>>,
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
}

/// Ends a running lease. After `fault_after_secs` of missed time anyone may, as the supplier's fault; before that only
/// the renter, who then pays the minimum charge if nothing was missed and, once disputes are decided, nothing refunded:
/// an open dispute alone saves him nothing (`Lease::payable_secs`).
pub fn handler(ctx: &mut Context<EndLease>) -> Result<()> {
    let now = clock::now()?;
    let by = *ctx.accounts.authority.address();
    let (cluster, lease) = (&ctx.accounts.cluster, &mut ctx.accounts.lease);
    lease.require_status(LEASE_ACTIVE)?;
    require!(now < lease.ends_at, IonetError::LeaseEnded);

    let unserved = lease.unserved_secs(now);
    let fault = unserved > u64::from(lease.fault_after_secs);
    require!(fault || by == cluster.renter, IonetError::NotSupplierFault);
    if !fault && unserved == 0 {
        lease.due_min_secs = lease.min_charge_secs.min(lease.duration);
    }
    let reason = if fault { END_SUPPLIER_FAULT } else { END_RENTER };
    let event = end(&mut ctx.accounts, now, now, reason)?;
    emit_event!(ctx, event);
    Ok(())
}

/// Ends the meter at `ends_at`, frees the node and makes the next lease booked the head if this one was it.
#[inline(never)]
pub fn end(accounts: &mut EndLease, ends_at: i64, now: i64, reason: u8) -> Result<LeaseEnded> {
    let (cluster_key, node_key) = (*accounts.cluster.address(), *accounts.node.address());
    let (cluster, node, lease) = (&mut accounts.cluster, &mut accounts.node, &mut accounts.lease);
    let (lease_key, ends_at_before) = (*lease.address(), lease.ends_at);
    lease.end(ends_at, reason);
    node.vacate(&lease_key, now, lease.maturity_delay())?;
    cluster.leave_head(&lease_key);
    cluster.last_activity_at = now;
    Ok(LeaseEnded {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        node: node_key,
        node_seq: node.next_seq()?,
        cluster: cluster_key,
        reason,
        ends_at_before,
        ends_at: lease.ends_at,
        due_min_secs: lease.due_min_secs,
        by: *accounts.authority.address(),
    })
}
