use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::ClusterClosed;
use crate::payout::{Recipient, Vault};
use crate::state::{Cluster, Network, Renter, CURRENCY_USDC};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct CloseCluster {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// CHECK: the renter, who gets the rent; when they sign, the cluster need not have been idle.
    #[account(mut, address = cluster.renter @ IonetError::WrongRentPayer)]
    pub renter: UncheckedAccount,
    /// Counts the renter's clusters.
    #[account(mut, constraint(renter_account.wallet == cluster.renter @ IonetError::WrongRenterAccount))]
    pub renter_account: Box<Account<Renter>>,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The cluster's escrow.
    #[account(mut, seeds = [Cluster::ESCROW_SEED, cluster.address().as_ref()], bump = cluster.escrow_bump)]
    pub escrow: Box<Account<TokenAccount>>,
    /// CHECK: at the address of the payer's associated account; need not exist.
    #[account(mut)]
    pub refund_to: UncheckedAccount,
    /// Fee vault of the mint.
    #[account(mut, seeds = [Network::FEES_SEED, cluster.mint.as_ref()], bump)]
    pub fee_vault: Box<Account<TokenAccount>>,
    /// Burn vault of the mint.
    #[account(mut, seeds = [Network::BURN_SEED, cluster.mint.as_ref()], bump)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The payer's owed account; only when their associated account cannot receive.
    #[account(mut)]
    pub owed: Option<Box<Account<TokenAccount>>>,
    /// The network's owed account; only when its fee vault is frozen.
    #[account(mut)]
    pub fees_owed: Option<Box<Account<TokenAccount>>>,
}

/// Returns the rest of the budget to the payer, moves the fees out, closes escrow and cluster. The renter at any time;
/// anyone once it has been idle long enough. Needs every lease to be closed.
pub fn handler(ctx: &mut Context<CloseCluster>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let params = &accounts.network.params;
    let cluster = &mut accounts.cluster;
    require!(cluster.leases_open == 0 && cluster.locked == 0, IonetError::LeasesOpen);
    let idle_until = math::add_time(cluster.last_activity_at, u64::from(params.idle_close_secs))?;
    require!(accounts.renter.is_signer() || now >= idle_until, IonetError::ClusterNotIdle);

    let refund = cluster.free()?;
    cluster.refunded = math::add(cluster.refunded, refund)?;
    let burn_share = if cluster.currency == CURRENCY_USDC { 0 } else { u64::from(params.burn_share_bps) };
    let to_burn = math::bps_floor(cluster.fees, burn_share)?;
    let tracked = math::add(refund, cluster.fees)?;
    let surplus = math::sub(accounts.escrow.amount(), tracked)?;
    let to_fees = math::add(math::sub(cluster.fees, to_burn)?, surplus)?;
    let open = math::sub(accounts.renter_account.open_clusters, 1)?;
    accounts.renter_account.open_clusters = open;
    let mut closed = ClusterClosed {
        cluster: *cluster.address(),
        seq: cluster.next_seq()?,
        at: now,
        renter: cluster.renter,
        id: cluster.id,
        deposit: cluster.deposit,
        paid: cluster.paid,
        fees: cluster.fees,
        burned: cluster.burned,
        fees_to_burn: to_burn,
        refunded: cluster.refunded,
        refund,
        surplus,
        owed: false,
        fees_owed: 0,
    };
    (closed.owed, closed.fees_owed) = empty_escrow(accounts, refund, to_fees, to_burn)?;
    accounts.cluster.close(*accounts.renter.account())?;
    emit_event!(ctx, closed);
    Ok(())
}

/// Returns whether the refund went to the payer's owed account, and how much went to the network's.
fn empty_escrow(accounts: &mut CloseCluster, refund: u64, to_fees: u64, to_burn: u64) -> Result<(bool, u64)> {
    let cluster = &accounts.cluster;
    let (renter, id, bump) = (cluster.renter, cluster.id.to_le_bytes(), [cluster.bump]);
    let seeds: &[&[&[u8]]] = &[&[Cluster::SEED, renter.as_ref(), &id, &bump]];
    let payer = Recipient {
        owner: cluster.renter,
        mint: cluster.mint,
        to: &mut accounts.refund_to,
        owed: accounts.owed.as_deref_mut(),
    };
    let owed = payer.pay(accounts.escrow.cpi_handle_mut(), cluster.cpi_handle(), refund, seeds)?;
    let fees = Vault {
        owner: *accounts.network.address(),
        mint: cluster.mint,
        to: &mut accounts.fee_vault,
        owed: accounts.fees_owed.as_deref_mut(),
    };
    let fees_owed = fees.pay(accounts.escrow.cpi_handle_mut(), cluster.cpi_handle(), to_fees, seeds)?;
    let (escrow, to) = (accounts.escrow.cpi_handle_mut(), accounts.burn_vault.cpi_handle_mut());
    token::transfer(escrow, to, accounts.cluster.cpi_handle(), to_burn, seeds);
    let (escrow, to) = (accounts.escrow.cpi_handle_mut(), accounts.renter.cpi_handle_mut());
    token::close(escrow, to, accounts.cluster.cpi_handle(), seeds);
    Ok((owed, if fees_owed { to_fees } else { 0 }))
}
