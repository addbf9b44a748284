#![allow(unused_variables)] // Anchor reads `#[instruction]` arguments in the seeds, rustc does not see it

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::ClusterOpened;
use crate::state::{Cluster, Network, Renter, CLUSTER_CONTAINER, PAUSE_OPEN_CLUSTER};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
#[instruction(id: u64)]
pub struct OpenCluster {
    #[account(mut)]
    pub renter: Signer,
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    #[account(init_if_needed, payer = renter, seeds = [b"renter", renter.address().as_ref()], bump)]
    pub renter_account: Box<Account<Renter>>,
    #[account(
        init,
        payer = renter,
        seeds = [b"cluster", renter.address().as_ref(), &id.to_le_bytes()],
        bump,
    )]
    pub cluster: Box<Account<Cluster>>,
    /// The currency: IOSD, USDC or IO.
    #[account(constraint(network.admits(mint.address()) @ IonetError::CurrencyNotSupported))]
    pub mint: Box<Account<Mint>>,
    #[account(init, payer = renter, seeds = [b"escrow", cluster.address().as_ref()], bump, token::mint = mint, token::authority = cluster)]
    pub escrow: Box<Account<TokenAccount>>,
    /// The renter's tokens.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

/// Opens a cluster and deposits its budget. Renter. `id` is the renter account's `next_cluster_id`. The session key
/// may accept readiness, approve and dispute until it expires; zero means none.
pub fn handler(
    ctx: &mut Context<OpenCluster>,
    id: u64,
    kind: u8,
    deposit: u64,
    session_key: Address,
    session_expires_at: i64,
    config_hash: [u8; 32],
) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_OPEN_CLUSTER)?;
    require!(deposit > 0, IonetError::ZeroAmount);
    require!(kind <= CLUSTER_CONTAINER, IonetError::UnknownClusterKind);
    let now = clock::now()?;
    let wallet = *ctx.accounts.renter.address();
    let mint = *ctx.accounts.mint.address();
    let currency = ctx.accounts.network.currency_of(&mint);
    crate::token::check_token_account(&ctx.accounts.from, &wallet, &mint)?;

    let renter = &mut ctx.accounts.renter_account;
    require!(id == renter.next_cluster_id, IonetError::WrongRenterAccount);
    renter.wallet = wallet;
    renter.next_cluster_id = math::add(renter.next_cluster_id, 1)?;
    renter.open_clusters = math::add(renter.open_clusters, 1)?;
    renter.bump = ctx.bumps.renter_account;
    renter.version = Renter::VERSION;

    let cluster = &mut ctx.accounts.cluster;
    cluster.renter = wallet;
    cluster.payer = wallet;
    cluster.mint = mint;
    cluster.set_session_key(session_key, session_expires_at, now)?;
    cluster.config_hash = config_hash;
    cluster.id = id;
    cluster.deposit = deposit;
    cluster.opened_at = now;
    cluster.last_activity_at = now;
    cluster.currency = currency;
    cluster.kind = kind;
    cluster.bump = ctx.bumps.cluster;
    cluster.escrow_bump = ctx.bumps.escrow;
    cluster.version = Cluster::VERSION;
    let seq = cluster.next_seq()?;
    crate::token::transfer(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.escrow.cpi_handle_mut(),
        ctx.accounts.renter.cpi_handle(),
        deposit,
        &[],
    );
    emit_event!(
        ctx,
        ClusterOpened {
            cluster: *ctx.accounts.cluster.address(),
            seq,
            at: now,
            renter: wallet,
            id,
            kind,
            currency,
            mint,
            deposit,
            session_key,
            session_expires_at,
            config_hash,
        }
    );
    Ok(())
}
