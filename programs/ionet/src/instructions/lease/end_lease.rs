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

/// Ends a running lease. Its renter at any time, who then owes the rest of the first hour. As the supplier's fault: by
/// anyone once the outage that is going on is longer than `fault_after_secs`, by the renter also when missed and
/// undefended time together are too much; what the outage has reached is then due at once, and at least what quitting
/// costs.
pub fn handler(ctx: &mut Context<EndLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let by = *ctx.accounts.authority.address();
    let (cluster, node) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node);
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_STATUS_ACTIVE)?;
    lease.catch_up(&at)?;
    require!(now < lease.ends_at, IonetError::LeaseOver);

    let is_renter = by == cluster.renter;
    let fault = lease.is_abandoned(&at) || (is_renter && lease.is_failing(&at));
    require!(fault || is_renter, IonetError::NotSupplierFault);
    if fault {
        lease.owe_for_fault(&at);
    }
    let reason = if fault { END_REASON_SUPPLIER_FAULT } else { END_REASON_RENTER };
    let event = ending::end(cluster, node, lease, End { ends_at: now, reason, by, unchallenged: 0 }, now)?;
    emit_event!(ctx, event);
    Ok(())
}
