use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IncomeVaultClosed;
use crate::payout::Vault;
use crate::state::{place_of, Network, Node, NODE_FLAG_RETIRED};
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct CloseIncomeVault {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// CHECK: the node's owner, who gets the rent.
    #[account(mut, address = node.owner @ IonetError::WrongRentPayer)]
    pub owner: UncheckedAccount,
    /// The mint.
    #[account(constraint(network.admits(mint.address()) @ IonetError::WrongMint))]
    pub mint: Box<Account<Mint>>,
    /// The node's income vault of the mint.
    #[account(mut, seeds = [Node::INCOME_SEED, node.address().as_ref(), mint.address().as_ref()], bump)]
    pub income_vault: Box<Account<TokenAccount>>,
    /// Fee vault of the mint.
    #[account(mut, seeds = [Network::FEES_SEED, mint.address().as_ref()], bump)]
    pub fee_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The network's owed account; only when its fee vault is frozen.
    #[account(mut)]
    pub fees_owed: Option<Box<Account<TokenAccount>>>,
}

/// Closes an income vault of a retired node to which nobody has a claim any more. What is left in it (roundings, tokens
/// that somebody sent) goes to the fee vault, the rent to the owner.
pub fn handler(ctx: &mut Context<CloseIncomeVault>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let mint = *accounts.mint.address();
    let at = place_of(accounts.network.currency_of(&mint));
    let node = &mut accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED != 0, IonetError::NodeNotRetired);
    let claimed = node.co_income_settled.get(at).is_some_and(|held| *held == 0);
    let closed = node.leases_closed == node.next_lease_number;
    require!(claimed && closed && node.bonded.shares.get() == 0, IonetError::VaultInUse);
    node.forget_income(at);
    let surplus = accounts.income_vault.amount();
    let mut event =
        IncomeVaultClosed { node: *node.address(), seq: node.next_seq()?, at: now, mint, surplus, fees_owed: 0 };

    let (bump, first_key) = ([node.bump], node.first_device_key);
    let seeds: &[&[&[u8]]] = &[&[Node::SEED, first_key.as_ref(), &bump]];
    let fees = Vault {
        owner: *accounts.network.address(),
        mint,
        to: &mut accounts.fee_vault,
        owed: accounts.fees_owed.as_deref_mut(),
    };
    if fees.pay(accounts.income_vault.cpi_handle_mut(), accounts.node.cpi_handle(), surplus, seeds)? {
        event.fees_owed = surplus;
    }
    let (vault, to) = (accounts.income_vault.cpi_handle_mut(), accounts.owner.cpi_handle_mut());
    token::close(vault, to, accounts.node.cpi_handle(), seeds);
    emit_event!(ctx, event);
    Ok(())
}
