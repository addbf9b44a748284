use anchor_lang::prelude::*;

use super::session::SessionAction;
use crate::error::IonetError;
use crate::events::LeaseStarted;
use crate::state::{LEASE_ROLE_HEAD, LEASE_STATUS_ACTIVE, LEASE_STATUS_READY};
use crate::{clock, emit_event, math};

/// Renter or session key, before the deadline; a worker's meter never starts before its head's.
pub fn handler(ctx: &mut Context<SessionAction>) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let accepted_by = *ctx.accounts.authority.address();
    let cluster_key = *ctx.accounts.cluster.address();
    let (cluster, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    require!(cluster.may_act(&accepted_by, now), IonetError::NotRenterOrSession);
    lease.require_status(LEASE_STATUS_READY)?;
    let waited = math::elapsed(lease.ready_at, lease.ready_slot, now, slot, lease.slot_ms);
    require!(waited < u64::from(lease.accept_deadline_secs), IonetError::TooLate);
    if lease.role == LEASE_ROLE_HEAD {
        cluster.head_started_at = now;
    } else {
        require!(cluster.head_started_at != 0, IonetError::HeadNotRunning);
    }
    lease.status = LEASE_STATUS_ACTIVE;
    lease.started_at = now;
    lease.ends_at = math::add_time(now, u64::from(lease.duration))?;
    lease.last_proof_at = now;
    lease.last_proof_slot = slot;
    let event = LeaseStarted {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node: lease.node,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        accepted_by,
        ends_at: lease.ends_at,
    };
    emit_event!(ctx, event);
    Ok(())
}
