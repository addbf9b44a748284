use anchor_lang::prelude::*;

use super::cancelling::{cancel, Cancellation};
use crate::error::IonetError;
use crate::state::{Cluster, Lease, Node, END_REASON_REJECTED, LEASE_STATUS_READY};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct RejectReady {
    /// The renter or the session key.
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

/// Refuses a node that says it is ready. Renter or session key, before the deadline. Who is right the chain cannot see:
/// the renter pays the price of the seconds since then (at least `reject_floor_secs`), and nobody gets it. Neither the
/// node's stake nor its flags change.
pub fn handler(ctx: &mut Context<RejectReady>) -> Result<()> {
    let at = clock::moment()?;
    let by = *ctx.accounts.authority.address();
    let (cluster, node, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node, &mut ctx.accounts.lease);
    require!(cluster.may_act(&by, at.now), IonetError::NotRenterOrSession);
    lease.require_status(LEASE_STATUS_READY)?;
    let late = lease.is_overdue(lease.ready_at, lease.ready_slot, lease.accept_deadline_secs, &at);
    require!(!late, IonetError::TooLate);
    let waited = u32::try_from(at.since(lease.ready_at, lease.ready_slot, lease.slot_ms)).unwrap_or(u32::MAX);
    let most = lease.accept_deadline_secs.min(lease.duration);
    let burned_secs = waited.max(lease.reject_floor_secs).min(most);
    let rejection = Cancellation { reason: END_REASON_REJECTED, by, unanswered_secs: 0, burned_secs };
    let event = cancel(cluster, node, lease, &rejection, at.now)?;
    emit_event!(ctx, event);
    Ok(())
}
