use anchor_lang::prelude::*;
use anchor_lang::verify_program_address;
use anchor_spl::token::{Token, TokenAccount};

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::events::{IncomeShared, LeaseEnded, LeaseSettled};
use crate::payment::Payment;
use crate::payout::{Recipient, Vault};
use crate::state::{place_of, Cluster, Lease, Node, END_REASON_EXPIRED, LEASE_STATUS_ACTIVE};
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
    /// The node's income vault of this mint; only for a lease whose income is shared.
    #[account(mut)]
    pub income_vault: Option<Box<Account<TokenAccount>>>,
    /// The node's owed account; only when its income vault is frozen.
    #[account(mut)]
    pub income_owed: Option<Box<Account<TokenAccount>>>,
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
    let (settled, shared) = settle(&mut ctx.accounts, now, node_key, cluster_key)?;
    if let Some(event) = ended {
        emit_event!(ctx, event);
    }
    if let Some(event) = resolved {
        emit_event!(ctx, event);
    }
    if let Some(event) = settled {
        emit_event!(ctx, event);
    }
    if let Some(event) = shared {
        emit_event!(ctx, event);
    }
    Ok(())
}

/// Books what is due and sends it to the supplier, after the stakers' share. A frozen escrow pays nobody: then nothing
/// is booked, but the end of the lease is.
fn settle(
    accounts: &mut SettleLease,
    now: i64,
    node: Address,
    cluster_key: Address,
) -> Result<(Option<LeaseSettled>, Option<IncomeShared>)> {
    let due = Payment::due(&accounts.lease)?;
    if accounts.escrow.is_frozen() {
        return Ok((None, None));
    }
    if due.is_empty() {
        forget_settled(accounts)?;
        return Ok((None, None));
    }
    accounts.node.earn(accounts.lease.currency, due.gross)?;
    let node_seq = accounts.node.next_seq()?;
    let shared = if accounts.lease.income_share_bps > 0 { share(accounts, &due, now)? } else { None };
    let to_stakers = shared.as_ref().map_or(0, |event| event.to_co_stakers);
    let (payout, cluster) = (accounts.node.payout, &mut accounts.cluster);
    let (renter, id, bump) = (cluster.renter, cluster.id.to_le_bytes(), [cluster.bump]);
    let recipient = Recipient {
        owner: payout,
        mint: cluster.mint,
        to: &mut accounts.payout_account,
        owed: accounts.owed.as_deref_mut(),
    };
    let seeds: &[&[&[u8]]] = &[&[Cluster::SEED, renter.as_ref(), &id, &bump]];
    let to_payout = math::sub(due.net()?, to_stakers)?;
    let owed = recipient.pay(accounts.escrow.cpi_handle_mut(), cluster.cpi_handle(), to_payout, seeds)?;
    let lease = &mut accounts.lease;
    let paid_before = lease.paid;
    due.book(lease, cluster)?;
    let settled = LeaseSettled {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: now,
        node,
        node_seq,
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
        to_stakers,
        owed,
    };
    forget_settled(accounts)?;
    Ok((Some(settled), shared))
}

/// Hands the stakers' share of this payment to the bonded pool: the co-stakers' part goes to their vault, the owner's
/// stays with the payout.
#[inline(never)]
fn share(accounts: &mut SettleLease, due: &Payment, now: i64) -> Result<Option<IncomeShared>> {
    let (node_key, mint, currency) = (*accounts.node.address(), accounts.cluster.mint, accounts.lease.currency);
    let amount = due.to_share(&accounts.lease)?;
    accounts.lease.shared = math::add(accounts.lease.shared, amount)?;
    let to_co_stakers = accounts.node.share_income(currency, amount)?;
    if amount == 0 {
        return Ok(None);
    }
    let at = place_of(currency);
    let bump = [accounts.node.income_vault_bumps.get(at).copied().unwrap_or(0)];
    let vault = accounts.income_vault.as_deref_mut().ok_or(IonetError::IncomeVaultRequired)?;
    let seeds = [Node::INCOME_SEED, node_key.as_ref(), mint.as_ref(), &bump];
    verify_program_address(&seeds, &crate::ID, vault.address()).map_err(|_| IonetError::WrongIncomeVault)?;
    let cluster = &accounts.cluster;
    let (renter, id, bump) = (cluster.renter, cluster.id.to_le_bytes(), [cluster.bump]);
    let seeds: &[&[&[u8]]] = &[&[Cluster::SEED, renter.as_ref(), &id, &bump]];
    let vault = Vault { owner: node_key, mint, to: vault, owed: accounts.income_owed.as_deref_mut() };
    let owed = vault.pay(accounts.escrow.cpi_handle_mut(), cluster.cpi_handle(), to_co_stakers, seeds)?;
    let node = &mut accounts.node;
    Ok(Some(IncomeShared {
        node: node_key,
        seq: node.next_seq()?,
        at: now,
        lease: *accounts.lease.address(),
        mint,
        amount,
        to_co_stakers,
        owed,
        co_income_after: node.co_income.get(at).copied().unwrap_or(0),
        income_per_share: node.income_per_share.get(at).map_or(0, |total| total.get()),
    }))
}

/// Once nothing can be owed any more, strangers may join the pool again.
fn forget_settled(accounts: &mut SettleLease) -> Result<()> {
    let lease = &mut accounts.lease;
    if lease.unsettled == 1 && lease.is_decided() && Payment::due(lease)?.is_empty() {
        accounts.node.count_settled(lease)?;
    }
    Ok(())
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
