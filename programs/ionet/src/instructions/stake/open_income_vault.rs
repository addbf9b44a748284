use anchor_lang::prelude::*;
use anchor_spl::token::{self, Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IncomeVaultOpened;
use crate::state::{place_of, Network, Node, NODE_FLAG_RETIRED};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct OpenIncomeVault {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The mint.
    #[account(constraint(network.admits(mint.address()) @ IonetError::WrongMint))]
    pub mint: Box<Account<Mint>>,
    /// The vault to be created.
    #[account(init, payer = payer, seeds = [Node::INCOME_SEED, node.address().as_ref(), mint.address().as_ref()], bump, token::mint = mint, token::authority = node)]
    pub income_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// Leases booked from now on in this mint share their income by the owner's terms.
pub fn handler(ctx: &mut Context<OpenIncomeVault>) -> Result<()> {
    let now = clock::now()?;
    let (mint, vault, bump) =
        (*ctx.accounts.mint.address(), *ctx.accounts.income_vault.address(), ctx.bumps.income_vault);
    let currency = ctx.accounts.network.currency_of(&mint);
    let node = &mut ctx.accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED == 0, IonetError::NodeRetired);
    if let Some(place) = node.income_vault_bumps.get_mut(place_of(currency)) {
        *place = bump;
    }
    let opened = IncomeVaultOpened { node: *node.address(), seq: node.next_seq()?, at: now, mint, vault };
    emit_event!(ctx, opened);
    Ok(())
}
