use anchor_lang::prelude::*;

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::state::{Cluster, Lease, Node, END_REASON_UNCHALLENGED, LEASE_STATUS_ACTIVE};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct LeaveLease {
    /// The node's owner or device key.
    #[account(constraint((node.owner == *supplier.address() || node.device_key == *supplier.address()) @ IonetError::NotSupplier))]
    pub supplier: Signer,
    /// The cluster that the lease belongs to.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The node that leaves.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The lease to leave.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
}

/// The last intervals, all of them kept and not matured, are named: the renter pays them, the supplier does not get
/// them, so that neither who withholds challenges nor who says it falsely gains. It costs no stake.
pub fn handler(ctx: &mut Context<LeaveLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let by = *ctx.accounts.supplier.address();
    let (cluster, node) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node);
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_STATUS_ACTIVE)?;
    lease.catch_up(&at)?;
    require!(now < lease.ends_at, IonetError::LeaseOver);
    lease.fold(&at)?;
    let silent = u32::from(lease.tier1_intervals);
    require!(lease.is_serving(silent, &at), IonetError::NotServing);
    let ends_at = lease.proven_until().min(now);
    let end = End { ends_at, reason: END_REASON_UNCHALLENGED, by, unchallenged: silent };
    let event = ending::end(cluster, node, lease, end, now)?;
    emit_event!(ctx, event);
    Ok(())
}
