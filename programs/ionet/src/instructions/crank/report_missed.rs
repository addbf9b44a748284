use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::NodeSlashed;
use crate::slashing::{self, REASON_MISSED};
use crate::state::{Cluster, Lease, Network, Node};
use crate::{clock, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct ReportMissed {
    pub reporter: Signer,
    #[account(seeds = [b"network"], bump)]
    pub network: Account<Network>,
    #[account(constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster))]
    pub cluster: Account<Cluster>,
    #[account(mut)]
    pub node: Account<Node>,
    #[account(mut, constraint(lease.node == *node.address() @ IonetError::WrongNode))]
    pub lease: Account<Lease>,
    #[account(mut, seeds = [b"stake", node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Account<TokenAccount>,
    /// Burn vault of IO.
    #[account(mut, seeds = [b"burn", network.io_mint.as_ref()], bump)]
    pub burn_vault: Account<TokenAccount>,
    /// CHECK: the associated IO account of the cluster's payer; where it does not exist his part is burned.
    #[account(mut)]
    pub renter_io: UncheckedAccount,
    /// The reporter's IO account; absent = no reward wanted.
    #[account(mut)]
    pub reporter_io: Option<Account<TokenAccount>>,
    pub token_program: Program<Token>,
}

/// Charges the node for missed time: the tier its outage has reached, less what was charged for it already. Anyone.
/// The program reads from the lease which intervals are missing; the reporter states nothing.
pub fn handler(ctx: &mut Context<ReportMissed>) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let restart = clock::last_restart_slot()?;
    require!(ctx.accounts.lease.has_run(), IonetError::WrongLeaseState);
    let bps = ctx.accounts.lease.charge(now, slot, restart, 0);
    require!(bps > 0, IonetError::NothingMissed);

    let accounts = &mut ctx.accounts;
    let reporter = *accounts.reporter.address();
    let io_mint = accounts.network.io_mint;
    let pay_renter = token::check_recipient(&accounts.renter_io, &accounts.cluster.payer, &io_mint)?;
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

    let (bump, first_key) = ([accounts.node.bump], accounts.node.first_device_key);
    let seeds: &[&[&[u8]]] = &[&[Node::SEED, first_key.as_ref(), &bump]];
    if division.to_renter > 0 {
        let (vault, to) = (accounts.stake_vault.cpi_handle_mut(), accounts.renter_io.cpi_handle_mut());
        token::transfer(vault, to, accounts.node.cpi_handle(), division.to_renter, seeds);
    }
    if let Some(account) = accounts.reporter_io.as_mut() {
        let (vault, to) = (accounts.stake_vault.cpi_handle_mut(), account.cpi_handle_mut());
        token::transfer(vault, to, accounts.node.cpi_handle(), division.to_reporter, seeds);
    }
    let (vault, to) = (accounts.stake_vault.cpi_handle_mut(), accounts.burn_vault.cpi_handle_mut());
    token::transfer(vault, to, accounts.node.cpi_handle(), division.burned, seeds);

    let slashed = NodeSlashed {
        node: *accounts.node.address(),
        seq: accounts.node.next_seq()?,
        at: now,
        lease: *accounts.lease.address(),
        reason: REASON_MISSED,
        bps,
        missed_secs: missed,
        amount: slash.amount,
        from_bonded: slash.from_bonded,
        from_unbonding: slash.from_unbonding,
        to_renter: division.to_renter,
        to_reporter: division.to_reporter,
        burned: division.burned,
        reporter,
        bonded_after: accounts.node.bonded.amount,
        unbonding_after: accounts.node.unbonding.amount,
    };
    emit_cpi!(slashed);
    Ok(())
}

/// Whether the reporter is neither the supplier's nor the renter's side.
fn is_stranger(reporter: &Address, node: &Node, cluster: &Cluster) -> bool {
    let insiders = [
        node.owner,
        node.device_key,
        node.payout,
        node.fee_payer,
        cluster.renter,
        cluster.payer,
        cluster.session_key,
    ];
    !insiders.contains(reporter)
}
