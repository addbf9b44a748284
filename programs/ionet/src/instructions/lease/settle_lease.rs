use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::events::{LeaseEnded, LeaseSettled};
use crate::payout::Recipient;
use crate::payment::Payment;
use crate::state::{Cluster, Lease, Node, END_REASON_EXPIRED, LEASE_STATUS_ACTIVE};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct SettleLease {
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The lease.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
    /// The cluster's escrow.
    #[account(mut, seeds = [Cluster::ESCROW_SEED, cluster.address().as_ref()], bump = cluster.escrow_bump)]
    pub escrow: Box<Account<TokenAccount>>,
    /// CHECK: the associated account of the node's payout wallet; it need not exist.
    #[account(mut)]
    pub payout_account: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The payout wallet's owed account, where the associated one cannot receive.
    #[account(mut)]
    pub owed: Option<Box<Account<TokenAccount>>>,
}

/// Pays what is owed: proven and no longer disputable, or a readiness that nobody answered. Ends a dispute that nobody defended in time, and a lease whose
/// time is over. Anyone. Amounts are cumulative, so calling it often or once pays the same; with nothing to do it does
/// nothing.
pub fn handler(ctx: &mut Context<SettleLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    require!(ctx.accounts.lease.may_owe(), IonetError::WrongLeaseState);
    ctx.accounts.lease.catch_up(&at)?;
    let (node_key, cluster_key) = (*ctx.accounts.node.address(), *ctx.accounts.cluster.address());
    let ended = expire(&mut ctx.accounts, now)?;
    let (lease, cluster) = (&mut ctx.accounts.lease, &mut ctx.accounts.cluster);
    let lease_key = *lease.address();
    let undefended = lease.is_disputed() && lease.defence_is_over(&at);
    let resolved = if undefended { Some(lease.resolve(lease_key, cluster, cluster_key, now)?) } else { None };
    if lease.has_run() {
        lease.fold(&at)?;
    }
    let settled = settle(&mut ctx.accounts, now, node_key, cluster_key)?;
    if let Some(event) = ended {
        emit_event!(ctx, event);
    }
    if let Some(event) = resolved {
        emit_event!(ctx, event);
    }
    if let Some(event) = settled {
        emit_event!(ctx, event);
    }
    Ok(())
}

/// Books what is due and sends it to the supplier.
fn settle(accounts: &mut SettleLease, now: i64, node: Address, cluster_key: Address) -> Result<Option<LeaseSettled>> {
    let due = Payment::due(&accounts.lease)?;
    let (payout, cluster) = (accounts.node.payout, &mut accounts.cluster);
    let (renter, id, bump) = (cluster.renter, cluster.id.to_le_bytes(), [cluster.bump]);
    let recipient = Recipient {
        owner: payout,
        mint: cluster.mint,
        to: &mut accounts.payout_account,
        owed: accounts.owed.as_deref_mut(),
    };
    let seeds: &[&[&[u8]]] = &[&[Cluster::SEED, renter.as_ref(), &id, &bump]];
    let owed = recipient.pay(accounts.escrow.cpi_handle_mut(), cluster.cpi_handle(), due.net()?, seeds)?;
    if due.is_empty() {
        return Ok(None);
    }
    let lease = &mut accounts.lease;
    let paid_before = lease.paid;
    due.book(lease, cluster)?;
    Ok(Some(LeaseSettled {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        payable_secs: lease.due().paid_secs,
        missed_secs: lease.missed_secs,
        paid_before,
        paid: lease.paid,
        supplier_amount: math::sub(due.net()?, due.bond)?,
        supplier_fee: due.supplier_fee,
        renter_fee: due.renter_fee,
        burned: due.burned,
        payout,
        cluster_paid_after: cluster.paid,
        cluster_fees_after: cluster.fees,
        cluster_locked_after: cluster.locked,
        bond_paid: due.bond,
        owed,
    }))
}

/// Ends an active lease whose time is over.
fn expire(accounts: &mut SettleLease, now: i64) -> Result<Option<LeaseEnded>> {
    let lease = &mut accounts.lease;
    if lease.status != LEASE_STATUS_ACTIVE || now < lease.ends_at {
        return Ok(None);
    }
    let end = End { ends_at: lease.ends_at, reason: END_REASON_EXPIRED, by: Address::default(), unchallenged: 0 };
    ending::end(&mut accounts.cluster, &mut accounts.node, lease, end, now).map(Some)
}
