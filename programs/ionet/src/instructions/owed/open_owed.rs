use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::payout::OWED_SEED;
use crate::state::Network;

#[derive(Accounts)]
pub struct OpenOwed {
    /// Pays the rent; a wallet, so it may be the owner below as well.
    #[account(unsafe(dup))]
    pub payer: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The mint.
    #[account(constraint(network.admits(mint.address()) @ IonetError::WrongMint))]
    pub mint: Box<Account<Mint>>,
    /// CHECK: any wallet; whose payments this account receives while they cannot.
    pub owner: UncheckedAccount,
    /// The wallet's owed account.
    #[account(init, payer = payer, seeds = [OWED_SEED, mint.address().as_ref(), owner.address().as_ref()], bump, token::mint = mint, token::authority = network)]
    pub owed: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// Creates the owed account of a wallet in one mint: what it cannot receive is kept there. Anyone, once per claim.
pub fn handler(_ctx: &mut Context<OpenOwed>) -> Result<()> {
    Ok(())
}
