use anchor_lang::prelude::*;

use crate::clock::Moment;
use crate::error::IonetError;
use crate::events::LeaseClosed;
use crate::payment::Payment;
use crate::state::{Cluster, Lease, Node, LEASE_STATUS_CANCELLED, LEASE_STATUS_ENDED};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct CloseLease {
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
    /// CHECK: the renter, who paid the lease's rent.
    #[account(mut, address = cluster.renter @ IonetError::WrongRentPayer)]
    pub renter: UncheckedAccount,
}

/// Closes a lease about which nothing can change any more: cancelled, or settled in full with every missed tier
/// charged. Anyone. What is still locked returns to the cluster's budget, the rent to the renter.
pub fn handler(ctx: &mut Context<CloseLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let (node_key, cluster_key) = (*ctx.accounts.node.address(), *ctx.accounts.cluster.address());
    let (lease, cluster, node) = (&mut ctx.accounts.lease, &mut ctx.accounts.cluster, &mut ctx.accounts.node);
    check_final(lease, &at)?;
    node.count_settled(lease)?;
    let released = lease.locked;
    cluster.unlock(released)?;
    cluster.leases_open = cluster.leases_open.checked_sub(1).ok_or(IonetError::Overflow)?;
    cluster.last_activity_at = now;
    node.leases_closed = math::add(node.leases_closed, 1)?;
    node.served_secs = math::add(node.served_secs, lease.matured_secs)?;
    let lost = math::add(lease.missed_secs, u64::from(lease.undefended_secs))?;
    node.missed_secs = math::add(node.missed_secs, lost)?;
    let closed = LeaseClosed {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node: node_key,
        node_seq: node.next_seq()?,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        paid: lease.paid,
        supplier_fee: lease.supplier_fee,
        renter_fee: lease.renter_fee,
        burned: lease.burned,
        served_secs: lease.matured_secs,
        missed_secs: lease.missed_secs,
        undefended_secs: lease.undefended_secs,
        released,
        cluster_locked_after: cluster.locked,
    };
    ctx.accounts.lease.close(*ctx.accounts.renter.account())?;
    emit_event!(ctx, closed);
    Ok(())
}

fn check_final(lease: &mut Lease, at: &Moment) -> Result<()> {
    if lease.status != LEASE_STATUS_CANCELLED {
        lease.require_status(LEASE_STATUS_ENDED)?;
        lease.catch_up(at)?;
        require!(!lease.is_disputed(), IonetError::DisputeOpen);
        lease.fold(at)?;
        require!(at.now >= lease.final_at()? && lease.is_decided(), IonetError::TooEarly);
        require!(lease.due_bps(at) == 0, IonetError::MissedNotCharged);
    }
    require!(Payment::due(lease)?.is_empty(), IonetError::NotSettled);
    Ok(())
}
