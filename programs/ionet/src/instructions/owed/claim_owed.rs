use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::OwedClaimed;
use crate::payout::OWED_SEED;
use crate::state::Network;
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct ClaimOwed {
    /// Whoever could not be paid.
    #[account(mut)]
    pub owner: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The mint.
    pub mint: Box<Account<Mint>>,
    /// The wallet's owed account.
    #[account(mut, seeds = [OWED_SEED, mint.address().as_ref(), owner.address().as_ref()], bump)]
    pub owed: Box<Account<TokenAccount>>,
    /// Any account of the mint, chosen by the owner.
    #[account(mut, constraint(to.mint() == mint.address() @ IonetError::WrongTokenMint))]
    pub to: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Pays out what was kept for a wallet that could not receive, to an account of its choice, and closes the owed
/// account; its rent goes to the owner. Owner.
pub fn handler(ctx: &mut Context<ClaimOwed>) -> Result<()> {
    let at = clock::now()?;
    let accounts = &mut ctx.accounts;
    let (owner, mint, amount) = (*accounts.owner.address(), *accounts.mint.address(), accounts.owed.amount());
    let bump = [accounts.network.bump];
    let seeds: &[&[&[u8]]] = &[&[Network::SEED, &bump]];
    let (owed, to) = (accounts.owed.cpi_handle_mut(), accounts.to.cpi_handle_mut());
    token::transfer(owed, to, accounts.network.cpi_handle(), amount, seeds);
    let (owed, to) = (accounts.owed.cpi_handle_mut(), accounts.owner.cpi_handle_mut());
    token::close(owed, to, accounts.network.cpi_handle(), seeds);
    emit_event!(ctx, OwedClaimed { owner, mint, at, amount });
    Ok(())
}
