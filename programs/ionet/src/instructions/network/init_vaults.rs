use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::state::Network;

#[derive(Accounts)]
pub struct InitVaults {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The mint.
    #[account(constraint(network.admits(mint.address()) @ IonetError::WrongMint))]
    pub mint: Box<Account<Mint>>,
    /// Fee vault of the mint.
    #[account(init, payer = payer, seeds = [Network::FEES_SEED, mint.address().as_ref()], bump, token::mint = mint, token::authority = network)]
    pub fee_vault: Box<Account<TokenAccount>>,
    /// Burn vault of the mint.
    #[account(init, payer = payer, seeds = [Network::BURN_SEED, mint.address().as_ref()], bump, token::mint = mint, token::authority = network)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

pub fn handler(_ctx: &mut Context<InitVaults>) -> Result<()> {
    Ok(())
}
