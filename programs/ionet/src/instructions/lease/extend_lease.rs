use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::LeaseExtended;
use crate::state::{Cluster, DeviceModel, Lease, Network, Node, LEASE_STATUS_ACTIVE, PAUSE_EXTEND_LEASE};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct ExtendLease {
    /// The cluster's renter.
    pub renter: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The cluster whose budget is meant.
    #[account(mut, constraint(cluster.renter == *renter.address() @ IonetError::NotRenter))]
    pub cluster: Box<Account<Cluster>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The device model.
    #[account(constraint(model.code == node.model @ IonetError::WrongModel))]
    pub model: Box<Account<DeviceModel>>,
    /// The lease.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
}

/// Adds `extra_secs` to a running lease at its locked price, up to the node's maximum as copied at booking. Renter;
/// the node must still be hireable.
pub fn handler(ctx: &mut Context<ExtendLease>, extra_secs: u32) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_EXTEND_LEASE)?;
    require!(extra_secs > 0, IonetError::ZeroAmount);
    let at = clock::moment()?;
    let now = at.now;
    ctx.accounts.node.check_hireable(&ctx.accounts.model, &ctx.accounts.network.params)?;
    let (node_key, cluster_key) = (*ctx.accounts.node.address(), *ctx.accounts.cluster.address());
    let (lease, cluster, node) = (&mut ctx.accounts.lease, &mut ctx.accounts.cluster, &mut ctx.accounts.node);
    lease.require_status(LEASE_STATUS_ACTIVE)?;
    lease.catch_up(&at)?;
    require!(now < lease.ends_at, IonetError::TooLate);

    let duration_before = lease.duration;
    let duration = duration_before.checked_add(extra_secs).ok_or(IonetError::Overflow)?;
    require!(duration <= lease.max_duration, IonetError::DurationRefused);
    let (price_before, fee_before) = lease.cost(u64::from(duration_before))?;
    let (price, fee) = lease.cost(u64::from(duration))?;
    let added = math::add(math::sub(price, price_before)?, math::sub(fee, fee_before)?)?;
    cluster.lock(added)?;
    cluster.last_activity_at = now;
    lease.locked = math::add(lease.locked, added)?;
    lease.extend(extra_secs)?;
    node.busy_until = node.busy_until.max(lease.final_at()?);
    let event = LeaseExtended {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        node: node_key,
        node_seq: node.next_seq()?,
        duration_before,
        duration,
        ends_at: lease.ends_at,
        added_amount: added,
        cluster_locked_after: cluster.locked,
    };
    emit_event!(ctx, event);
    Ok(())
}
