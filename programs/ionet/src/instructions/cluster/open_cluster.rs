#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::ClusterOpened;
use crate::state::{Cluster, Network, OpenClusterArgs, Purse, Renter, PAUSE_OPEN_CLUSTER};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
#[instruction(id: u64)]
pub struct OpenCluster {
    /// Opens the cluster, pays its deposit and its rent.
    #[account(mut)]
    pub renter: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// Counts the renter's clusters.
    #[account(init_if_needed, payer = renter, seeds = [Renter::SEED, renter.address().as_ref()], bump)]
    pub renter_account: Box<Account<Renter>>,
    /// The cluster to be created.
    #[account(
        init,
        payer = renter,
        seeds = [Cluster::SEED, renter.address().as_ref(), &id.to_le_bytes()],
        bump,
    )]
    pub cluster: Box<Account<Cluster>>,
    /// The currency: IOSD, USDC or IO.
    #[account(constraint(network.admits(mint.address()) @ IonetError::CurrencyNotSupported))]
    pub mint: Box<Account<Mint>>,
    /// Its escrow, created with it.
    #[account(init, payer = renter, seeds = [Cluster::ESCROW_SEED, cluster.address().as_ref()], bump, token::mint = mint, token::authority = cluster)]
    pub escrow: Box<Account<TokenAccount>>,
    /// The renter's tokens.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// The renter account counts the renter's clusters, so that an address never repeats.
pub fn handler(ctx: &mut Context<OpenCluster>, id: u64, args: OpenClusterArgs) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_OPEN_CLUSTER)?;
    let now = clock::now()?;
    args.validate(now)?;
    let wallet = *ctx.accounts.renter.address();
    let mint = *ctx.accounts.mint.address();
    let currency = ctx.accounts.network.currency_of(&mint);
    crate::token::check_token_account(&ctx.accounts.from, &wallet, &mint)?;
    ctx.accounts.renter_account.count_cluster(wallet, id, ctx.bumps.renter_account)?;

    let cluster = &mut ctx.accounts.cluster;
    ***cluster =
        Cluster::new(&Purse { renter: wallet, mint, currency }, id, &args, (ctx.bumps.cluster, ctx.bumps.escrow), now);
    let opened = ClusterOpened {
        cluster: *cluster.address(),
        seq: cluster.next_seq()?,
        at: now,
        renter: wallet,
        id,
        kind: args.kind,
        currency,
        mint,
        deposit: args.deposit,
        session_key: args.session_key,
        session_expires_at: args.session_expires_at,
        config_hash: args.config_hash,
    };
    crate::token::transfer(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.escrow.cpi_handle_mut(),
        ctx.accounts.renter.cpi_handle(),
        args.deposit,
        &[],
    );
    emit_event!(ctx, opened);
    Ok(())
}
