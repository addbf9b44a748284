use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use super::cancelling::{cancel, Cancellation};
use crate::clock::Moment;
use crate::error::IonetError;
use crate::events::NodeFlagsChanged;
use crate::slashing::{self, Cause, Division, Payees, Slash, SLASH_REASON_PROMISE};
use crate::state::{
    Cluster, Lease, Network, Node, END_REASON_NOT_ACCEPTED, END_REASON_NOT_READY, LEASE_STATUS_BOOKED,
    LEASE_STATUS_READY, NODE_FLAG_ABSENT,
};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct CancelLease {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
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
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// Burn vault of IO.
    #[account(mut, seeds = [Network::BURN_SEED, network.io_mint.as_ref()], bump)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Cancels a lease that never started. Anyone, after the deadline. Not ready in time: all goes back, the node counts as
/// absent, and too many broken promises are slashed. Ready and not answered: that time is the supplier's, at most the
/// accept deadline's worth however late this is called; the next settlement pays it.
pub fn handler(ctx: &mut Context<CancelLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let (cluster, node, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.node, &mut ctx.accounts.lease);
    let (node_key, lease_key) = (*node.address(), *lease.address());
    let cancellation = overdue(lease, &at)?;
    let cancelled = cancel(cluster, node, lease, &cancellation, now)?;
    let (flags, slashed) = if cancellation.reason == END_REASON_NOT_READY {
        let (flags, slash) = break_promise(node, lease, node_key, now)?;
        (Some(flags), slash)
    } else {
        (None, Slash::default())
    };

    // A broken promise has cost nobody money: all of the slash is burned.
    let division = Division { burned: slashed.amount, ..Division::default() };
    let accounts = &mut ctx.accounts;
    let payees = Payees {
        vault: &mut accounts.stake_vault,
        burn_vault: &mut accounts.burn_vault,
        renter_io: None,
        reporter_io: None,
    };
    slashing::pay(&accounts.node, &division, payees);
    emit_event!(ctx, cancelled);
    if let Some(event) = flags {
        emit_event!(ctx, event);
    }
    if slashed.amount > 0 {
        let cause = Cause {
            lease: lease_key,
            reason: SLASH_REASON_PROMISE,
            bps: ctx.accounts.lease.promise_bps,
            missed_secs: 0,
            reporter: Address::default(),
        };
        let event = slashing::event(&mut ctx.accounts.node, &cause, &slashed, &division, now)?;
        emit_event!(ctx, event);
    }
    Ok(())
}

/// Which deadline has passed, and what is owed.
fn overdue(lease: &Lease, at: &Moment) -> Result<Cancellation> {
    let (since, slot, deadline, reason) = match lease.status {
        LEASE_STATUS_BOOKED => (lease.booked_at, lease.booked_slot, lease.ready_deadline_secs, END_REASON_NOT_READY),
        LEASE_STATUS_READY => (lease.ready_at, lease.ready_slot, lease.accept_deadline_secs, END_REASON_NOT_ACCEPTED),
        _ => return Err(IonetError::WrongLeaseState.into()),
    };
    require!(lease.is_overdue(since, slot, deadline, at), IonetError::TooEarly);
    let answered = reason == END_REASON_NOT_READY;
    let unanswered_secs = if answered { 0 } else { deadline.min(lease.duration) };
    Ok(Cancellation { reason, by: Address::default(), unanswered_secs, burned_secs: 0 })
}

/// Marks the node as absent and counts the broken promise, which may be one too many.
fn break_promise(node: &mut Node, lease: &Lease, node_key: Address, now: i64) -> Result<(NodeFlagsChanged, Slash)> {
    let before = node.flags;
    node.flags |= NODE_FLAG_ABSENT;
    let slash = if node.break_promise(lease.promise_limit, lease.promise_window_secs, now) {
        slashing::take(node, lease.required_stake, lease.promise_bps)?
    } else {
        Slash::default()
    };
    let flags = NodeFlagsChanged { node: node_key, seq: node.next_seq()?, at: now, before, after: node.flags };
    Ok((flags, slash))
}
