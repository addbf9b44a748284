use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::ending::{self, End};
use crate::error::IonetError;
use crate::slashing::{self, Cause, Payees, SLASH_REASON_QUIT};
use crate::state::{Cluster, Lease, Network, Node, END_REASON_QUIT, LEASE_STATUS_ACTIVE};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct QuitLease {
    /// The node's owner, who leaves.
    pub owner: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
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
    /// CHECK: the associated IO account of the cluster's payer; where it does not exist their part is burned.
    #[account(mut)]
    pub renter_io: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Leaves a running lease. Node owner. Payment ends at the last proof; the charge is the quitting rate or what the
/// silence so far has reached, whichever is more.
pub fn handler(ctx: &mut Context<QuitLease>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let accounts = &mut ctx.accounts;
    accounts.lease.require_status(LEASE_STATUS_ACTIVE)?;
    accounts.lease.catch_up(&at)?;
    require!(now < accounts.lease.ends_at, IonetError::LeaseOver);
    let quit_bps = accounts.lease.quit_bps;
    let bps = accounts.lease.charge(&at, quit_bps);
    let pay_renter = token::check_recipient(&accounts.renter_io, &accounts.cluster.renter, &accounts.network.io_mint)?;
    let missed = accounts.lease.uncompensated_secs(now);
    let slash = slashing::take(&mut accounts.node, accounts.lease.required_stake, bps)?;
    let division = slashing::divide(&slash, &accounts.lease, missed, pay_renter, false)?;
    accounts.lease.compensated_secs = math::add(accounts.lease.compensated_secs, missed)?;

    let end = End {
        ends_at: accounts.lease.proven_until().min(now),
        reason: END_REASON_QUIT,
        by: *accounts.owner.address(),
        unchallenged: 0,
    };
    let ended = ending::end(&mut accounts.cluster, &mut accounts.node, &mut accounts.lease, end, now)?;

    let payees = Payees {
        vault: &mut accounts.stake_vault,
        burn_vault: &mut accounts.burn_vault,
        renter_io: Some(&mut accounts.renter_io),
        reporter_io: None,
    };
    slashing::pay(&accounts.node, &division, payees);

    let cause =
        Cause { lease: ended.lease, reason: SLASH_REASON_QUIT, bps, missed_secs: missed, reporter: Address::default() };
    let slashed = slashing::event(&mut accounts.node, &cause, &slash, &division, now)?;
    emit_event!(ctx, ended);
    emit_event!(ctx, slashed);
    Ok(())
}
