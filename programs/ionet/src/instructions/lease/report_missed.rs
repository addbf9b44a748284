use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::slashing::{self, Cause, Payees, SLASH_REASON_MISSED};
use crate::state::{Cluster, Lease, Network, Node};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct ReportMissed {
    /// Anyone; gets the reward unless they are one of the parties.
    pub reporter: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The cluster whose budget is meant.
    #[account(constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster))]
    pub cluster: Box<Account<Cluster>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The lease.
    #[account(mut, constraint(lease.node == *node.address() @ IonetError::WrongNode))]
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
    /// The reporter's IO account; absent = no reward wanted.
    #[account(mut)]
    pub reporter_io: Option<Box<Account<TokenAccount>>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Charges the node for missed time: the tier its outage has reached, less what was charged for it already. Anyone.
/// The program reads from the lease which intervals are missing; the reporter states nothing.
pub fn handler(ctx: &mut Context<ReportMissed>) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let lease = &mut ctx.accounts.lease;
    require!(lease.has_run(), IonetError::WrongLeaseState);
    lease.catch_up(&at)?;
    require!(!lease.is_recovering(&at), IonetError::ChainRecovering);
    let bps = lease.charge(&at, 0);
    require!(bps > 0, IonetError::NothingMissed);

    let accounts = &mut ctx.accounts;
    let reporter = *accounts.reporter.address();
    let io_mint = accounts.network.io_mint;
    let pay_renter = token::check_recipient(&accounts.renter_io, &accounts.cluster.renter, &io_mint)?;
    let pay_reporter = match &accounts.reporter_io {
        Some(account) => {
            token::check_token_account(account, &reporter, &io_mint)?;
            is_stranger(&reporter, &accounts.node, &accounts.cluster)
        }
        None => false,
    };
    let missed = accounts.lease.uncompensated_secs(now);
    let slash = slashing::take(&mut accounts.node, accounts.lease.required_stake, bps)?;
    let division = slashing::divide(&slash, &accounts.lease, missed, pay_renter, pay_reporter)?;
    accounts.lease.compensated_secs = math::add(accounts.lease.compensated_secs, missed)?;

    let payees = Payees {
        vault: &mut accounts.stake_vault,
        burn_vault: &mut accounts.burn_vault,
        renter_io: Some(&mut accounts.renter_io),
        reporter_io: accounts.reporter_io.as_deref_mut(),
    };
    slashing::pay(&accounts.node, &division, payees);
    let cause =
        Cause { lease: *accounts.lease.address(), reason: SLASH_REASON_MISSED, bps, missed_secs: missed, reporter };
    let slashed = slashing::event(&mut accounts.node, &cause, &slash, &division, now)?;
    emit_event!(ctx, slashed);
    Ok(())
}

/// Whether the reporter is neither the supplier's nor the renter's side.
fn is_stranger(reporter: &Address, node: &Node, cluster: &Cluster) -> bool {
    let insiders = [node.owner, node.device_key, node.payout, node.fee_payer, cluster.renter, cluster.session_key];
    !insiders.contains(reporter)
}
