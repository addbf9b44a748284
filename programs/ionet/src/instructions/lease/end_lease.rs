use anchor_lang::prelude::*;

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::state::{Cluster, Lease, Node, END_REASON_RENTER, END_REASON_SUPPLIER_FAULT, LEASE_STATUS_ACTIVE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct EndLease {
    /// The renter; anyone once the supplier has missed too much.
    pub authority: Signer,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The lease.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
}

/// Ends a running lease. After `fault_after_secs` of missed time anyone may, as the supplier's fault; before that only
/// the renter, who then pays the minimum charge if nothing was missed and, once disputes are decided, nothing refunded:
/// an open dispute alone saves them nothing (`Lease::payable_secs`).
pub fn handler(ctx: &mut Context<EndLease>) -> Result<()> {
    let now = clock::now()?;
    let by = *ctx.accounts.authority.address();
    let (cluster, node) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node);
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_STATUS_ACTIVE)?;
    require!(now < lease.ends_at, IonetError::LeaseOver);

    let unserved = lease.unserved_secs(now);
    let fault = unserved > u64::from(lease.fault_after_secs);
    require!(fault || by == cluster.renter, IonetError::NotSupplierFault);
    if !fault && unserved == 0 {
        lease.due_min_secs = lease.min_charge_secs.min(lease.duration);
    }
    let reason = if fault { END_REASON_SUPPLIER_FAULT } else { END_REASON_RENTER };
    let event = ending::end(cluster, node, lease, End { ends_at: now, reason, by }, now)?;
    emit_event!(ctx, event);
    Ok(())
}
