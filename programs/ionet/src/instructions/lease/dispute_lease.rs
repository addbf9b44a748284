use anchor_lang::prelude::*;

use super::session::SessionAction;
use crate::error::IonetError;
use crate::events::LeaseDisputed;
use crate::state::{Cluster, Lease};
use crate::{clock, emit_event, math};

/// Holds the payment of intervals `from..to` until each is defended with the challenge its node was sent, or lost: then
/// it is refunded, in the first hour burned.
/// Renter or session key; a bond is locked in the cluster's budget, which the supplier wins for what they defend.
pub fn handler(ctx: &mut Context<SessionAction>, from: u32, to: u32) -> Result<()> {
    let at = clock::moment()?;
    let (now, slot) = (at.now, at.slot);
    let by = *ctx.accounts.authority.address();
    let cluster_key = *ctx.accounts.cluster.address();
    let (cluster, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    require!(cluster.may_act(&by, now), IonetError::NotRenterOrSession);
    require!(lease.has_run(), IonetError::WrongLeaseState);
    lease.catch_up(&at)?;
    let served_secs = lease.hold(from, to, &at)?;
    check_challenged(cluster, lease, from, to)?;
    let (price, _) = lease.cost(u64::from(served_secs))?;
    let bond = math::bps_ceil(price, u64::from(lease.dispute_bond_bps))?;
    cluster.open_dispute(bond)?;
    lease.dispute_bond = bond;
    lease.disputed_at = now;
    lease.disputed_slot = slot;
    let event = LeaseDisputed {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node: lease.node,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        from_interval: from,
        to_interval: to,
        served_secs,
        bond,
        defend_by: math::add_time(now, u64::from(lease.defend_window_secs))?,
        by,
        cluster_locked_after: cluster.locked,
    };
    emit_event!(ctx, event);
    Ok(())
}

/// The present session key must have been able to send a challenge in each interval; otherwise there is nothing that
/// the supplier could show. The key's change is compared with the start as it was before a restart moved it.
fn check_challenged(cluster: &Cluster, lease: &Lease, from: u32, to: u32) -> Result<()> {
    let challenged = cluster.session_key != Address::default()
        && lease.interval_start(from).saturating_sub(i64::from(lease.moved_secs)) >= cluster.session_changed_at
        && lease.interval_end(to.saturating_sub(1)) <= cluster.session_expires_at;
    require!(challenged, IonetError::NoChallengeKey);
    Ok(())
}
