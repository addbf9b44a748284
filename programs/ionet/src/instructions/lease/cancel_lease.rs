use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::{LeaseCancelled, NodeFlagsChanged};
use crate::slashing::{self, Cause, Division, Payees, Slash, SLASH_REASON_PROMISE};
use crate::state::{
    Cluster, Lease, Network, Node, END_REASON_NOT_ACCEPTED, END_REASON_NOT_READY, LEASE_STATUS_BOOKED,
    LEASE_STATUS_CANCELLED, LEASE_STATUS_READY, NODE_FLAG_PAUSED,
};
use crate::{clock, emit_event, math};

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

/// Cancels a lease that never started. Anyone, after the deadline. Not ready in time: nothing is charged, the node is
/// paused, and too many broken promises are slashed. Ready but not accepted: the booking fee and the hold fee are kept.
pub fn handler(ctx: &mut Context<CancelLease>) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let (node_key, cluster_key) = (*ctx.accounts.node.address(), *ctx.accounts.cluster.address());
    let (lease, cluster, node) = (&mut ctx.accounts.lease, &mut ctx.accounts.cluster, &mut ctx.accounts.node);
    let reason = overdue(lease, now, slot)?;
    let fee = if reason == END_REASON_NOT_ACCEPTED { hold_fee(lease)? } else { 0 };
    let lease_key = *lease.address();
    let released = lease.locked;
    cluster.unlock(released)?;
    cluster.fees = math::add(cluster.fees, fee)?;
    cluster.leave_head(&lease_key);
    cluster.last_activity_at = now;
    lease.status = LEASE_STATUS_CANCELLED;
    lease.end_reason = reason;
    lease.locked = 0;
    node.vacate(&lease_key, now, lease.maturity_delay())?;
    let cancelled = LeaseCancelled {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        node: node_key,
        node_seq: node.next_seq()?,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        reason,
        fee,
        released: math::sub(released, fee)?,
        cluster_fees_after: cluster.fees,
        cluster_locked_after: cluster.locked,
    };
    let (flags, slashed) = if reason == END_REASON_NOT_READY {
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

/// Which deadline has passed.
fn overdue(lease: &Lease, now: i64, slot: u64) -> Result<u8> {
    let (since, since_slot, deadline, reason) = match lease.status {
        LEASE_STATUS_BOOKED => (lease.booked_at, lease.booked_slot, lease.ready_deadline_secs, END_REASON_NOT_READY),
        LEASE_STATUS_READY => (lease.ready_at, lease.ready_slot, lease.accept_deadline_secs, END_REASON_NOT_ACCEPTED),
        _ => return Err(IonetError::WrongLeaseState.into()),
    };
    let waited = math::elapsed(since, since_slot, now, slot, lease.slot_ms);
    require!(waited >= u64::from(deadline), IonetError::TooEarly);
    Ok(reason)
}

/// The whole booking fee and the price of the time the node was held ready, at most what is reserved.
fn hold_fee(lease: &Lease) -> Result<u64> {
    let (_, booking_fee) = lease.cost(u64::from(lease.duration))?;
    let held = math::earned(lease.price, lease.processors, u64::from(lease.hold_fee_secs))?;
    Ok(math::add(booking_fee, held)?.min(lease.locked))
}

/// Pauses the node and counts the broken promise; the one that reaches the limit is slashed and the count restarts.
fn break_promise(node: &mut Node, lease: &Lease, node_key: Address, now: i64) -> Result<(NodeFlagsChanged, Slash)> {
    let before = node.flags;
    node.flags |= NODE_FLAG_PAUSED;
    let in_window = math::secs_between(node.promise_window_start, now) < u64::from(lease.promise_window_secs);
    if !in_window || node.promises_broken == 0 {
        node.promise_window_start = now;
        node.promises_broken = 0;
    }
    node.promises_broken = node.promises_broken.saturating_add(1);
    let mut slash = Slash::default();
    if node.promises_broken >= lease.promise_limit {
        node.promises_broken = 0;
        slash = slashing::take(node, lease.required_stake, lease.promise_bps)?;
    }
    let flags = NodeFlagsChanged { node: node_key, seq: node.next_seq()?, at: now, before, after: node.flags };
    Ok((flags, slash))
}
