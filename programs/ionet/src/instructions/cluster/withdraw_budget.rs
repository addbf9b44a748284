use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::BudgetWithdrawn;
use crate::state::Cluster;
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct WithdrawBudget {
    /// The cluster's renter.
    pub renter: Signer,
    /// The cluster whose budget is meant.
    #[account(mut, constraint(cluster.renter == *renter.address() @ IonetError::NotRenter))]
    pub cluster: Box<Account<Cluster>>,
    /// The cluster's escrow.
    #[account(mut, seeds = [Cluster::ESCROW_SEED, cluster.address().as_ref()], bump = cluster.escrow_bump)]
    pub escrow: Box<Account<TokenAccount>>,
    /// The payer's associated account.
    #[account(mut)]
    pub to: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Renter; at any time.
pub fn handler(ctx: &mut Context<WithdrawBudget>, amount: u64) -> Result<()> {
    require!(amount > 0, IonetError::ZeroAmount);
    let now = clock::now()?;
    let cluster = &mut ctx.accounts.cluster;
    token::check_associated(&ctx.accounts.to, &cluster.renter, &cluster.mint)?;
    require!(cluster.free()? >= amount, IonetError::BudgetTooSmall);
    cluster.refunded = math::add(cluster.refunded, amount)?;
    let refunded_after = cluster.refunded;
    let seq = cluster.next_seq()?;
    let (renter, id, bump) = (cluster.renter, cluster.id.to_le_bytes(), [cluster.bump]);
    token::transfer(
        ctx.accounts.escrow.cpi_handle_mut(),
        ctx.accounts.to.cpi_handle_mut(),
        ctx.accounts.cluster.cpi_handle(),
        amount,
        &[&[Cluster::SEED, renter.as_ref(), &id, &bump]],
    );
    emit_event!(
        ctx,
        BudgetWithdrawn { cluster: *ctx.accounts.cluster.address(), seq, at: now, amount, refunded_after }
    );
    Ok(())
}
