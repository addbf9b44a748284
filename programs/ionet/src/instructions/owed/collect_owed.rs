use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::OwedClaimed;
use crate::payout::OWED_SEED;
use crate::state::{Network, Node};
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct CollectOwed {
    /// Anyone; gets the owed account's rent.
    #[account(mut)]
    pub caller: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The mint.
    pub mint: Box<Account<Mint>>,
    /// Whose income vault could not receive; absent = the network's fee vault.
    pub node: Option<Box<Account<Node>>>,
    /// The node's or the network's owed account.
    #[account(mut)]
    pub owed: Box<Account<TokenAccount>>,
    /// The vault that could not receive.
    #[account(mut)]
    pub vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Brings what a vault of the program could not receive into that vault, once it can.
pub fn handler(ctx: &mut Context<CollectOwed>) -> Result<()> {
    let at = clock::now()?;
    let accounts = &mut ctx.accounts;
    let mint = *accounts.mint.address();
    let (owner, seed) = match &accounts.node {
        Some(node) => (*node.address(), [Node::INCOME_SEED, node.address().as_ref(), mint.as_ref()]),
        None => (*accounts.network.address(), [Network::FEES_SEED, mint.as_ref(), &[]]),
    };
    let (vault, _) = Address::find_program_address(&seed, &crate::ID);
    require!(*accounts.vault.address() == vault, IonetError::WrongOwedAccount);
    let (owed, _) = Address::find_program_address(&[OWED_SEED, mint.as_ref(), owner.as_ref()], &crate::ID);
    require!(*accounts.owed.address() == owed, IonetError::WrongOwedAccount);
    let amount = accounts.owed.amount();
    require!(amount > 0, IonetError::NothingToClaim);
    let bump = [accounts.network.bump];
    let seeds: &[&[&[u8]]] = &[&[Network::SEED, &bump]];
    let (owed, to) = (accounts.owed.cpi_handle_mut(), accounts.vault.cpi_handle_mut());
    token::transfer(owed, to, accounts.network.cpi_handle(), amount, seeds);
    let (owed, to) = (accounts.owed.cpi_handle_mut(), accounts.caller.cpi_handle_mut());
    token::close(owed, to, accounts.network.cpi_handle(), seeds);
    emit_event!(ctx, OwedClaimed { owner, mint, at, amount });
    Ok(())
}
