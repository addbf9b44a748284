use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token, TokenAccount};

use crate::error::IonetError;
use crate::events::IncomeClaimed;
use crate::payout::Recipient;
use crate::state::{place_of, Network, Node, StakePosition};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ClaimIncome {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The co-staker's position on this node.
    #[account(mut, constraint(position.node == *node.address() @ IonetError::WrongPosition))]
    pub position: Box<Account<StakePosition>>,
    /// The mint.
    #[account(constraint(network.admits(mint.address()) @ IonetError::WrongMint))]
    pub mint: Box<Account<Mint>>,
    /// The node's income vault of the mint.
    #[account(mut, seeds = [Node::INCOME_SEED, node.address().as_ref(), mint.address().as_ref()], bump)]
    pub income_vault: Box<Account<TokenAccount>>,
    /// CHECK: at the address of the co-staker's associated account; need not exist.
    #[account(mut)]
    pub to: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The co-staker's owed account; only when their associated account cannot receive.
    #[account(mut)]
    pub owed: Option<Box<Account<TokenAccount>>>,
}

/// Anyone may push it, also on a frozen or retired node.
pub fn handler(ctx: &mut Context<ClaimIncome>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let mint = *accounts.mint.address();
    let currency = accounts.network.currency_of(&mint);
    let (node, position) = (&mut accounts.node, &mut accounts.position);
    let amount = node.claim_income(position, currency)?;
    require!(amount > 0, IonetError::NothingToClaim);
    let (node_key, seq, staker) = (*node.address(), node.next_seq()?, position.staker);
    let (bump, first_key) = ([node.bump], node.first_device_key);
    let recipient = Recipient { owner: staker, mint, to: &mut accounts.to, owed: accounts.owed.as_deref_mut() };
    let (vault, authority) = (accounts.income_vault.cpi_handle_mut(), accounts.node.cpi_handle());
    let owed = recipient.pay(vault, authority, amount, &[&[Node::SEED, first_key.as_ref(), &bump]])?;
    let claimed = IncomeClaimed {
        node: node_key,
        seq,
        at: now,
        position: *accounts.position.address(),
        staker,
        mint,
        amount,
        owed,
        co_income_after: accounts.node.co_income.get(place_of(currency)).copied().unwrap_or(0),
    };
    emit_event!(ctx, claimed);
    Ok(())
}
