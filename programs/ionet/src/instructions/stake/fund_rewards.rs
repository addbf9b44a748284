use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::RewardsAdded;
use crate::state::{Network, Node};
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct FundRewards {
    /// Gives the reward.
    pub payer: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// The payer's IO.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Gives IO to a node's stakers: the co-stakers get the owner's stated part of what falls on their shares, the owner
/// the rest. Anyone. `amount` in base units of IO.
pub fn handler(ctx: &mut Context<FundRewards>, amount: u64) -> Result<()> {
    require!(amount > 0, IonetError::ZeroAmount);
    let now = clock::now()?;
    let by = *ctx.accounts.payer.address();
    token::check_token_account(&ctx.accounts.from, &by, &ctx.accounts.network.io_mint)?;
    let node = &mut ctx.accounts.node;
    let (to_owner, to_co_stakers) = node.reward(amount, now)?;
    let added = RewardsAdded {
        node: *node.address(),
        seq: node.next_seq()?,
        at: now,
        by,
        amount,
        to_owner,
        to_co_stakers,
        owner_rewards_after: node.owner_rewards,
        co_rewards_after: node.co_rewards,
        reward_per_share: node.reward_per_share.get(),
    };
    token::transfer(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.stake_vault.cpi_handle_mut(),
        ctx.accounts.payer.cpi_handle(),
        amount,
        &[],
    );
    emit_event!(ctx, added);
    Ok(())
}
