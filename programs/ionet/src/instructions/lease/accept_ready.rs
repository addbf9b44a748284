use anchor_lang::prelude::*;

use super::session::SessionAction;
use crate::error::IonetError;
use crate::events::LeaseStarted;
use crate::state::LEASE_STATUS_READY;
use crate::{clock, emit_event};

/// Renter or session key, before the deadline. The lease accepted first is the cluster's head.
pub fn handler(ctx: &mut Context<SessionAction>) -> Result<()> {
    let at = clock::moment()?;
    let accepted_by = *ctx.accounts.authority.address();
    let cluster_key = *ctx.accounts.cluster.address();
    let (cluster, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    require!(cluster.may_act(&accepted_by, at.now), IonetError::NotRenterOrSession);
    lease.require_status(LEASE_STATUS_READY)?;
    let late = lease.is_overdue(lease.ready_at, lease.ready_slot, lease.accept_deadline_secs, &at);
    require!(!late, IonetError::TooLate);
    let role = cluster.take_head(lease.address());
    lease.start(role, &at)?;
    let event = LeaseStarted {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: at.now,
        node: lease.node,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        accepted_by,
        role,
        ends_at: lease.ends_at,
    };
    emit_event!(ctx, event);
    Ok(())
}
