use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::Staked;
use crate::state::{Network, Node, StakePosition, FLAG_RETIRED};
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct Stake {
    #[account(mut)]
    pub staker: Signer,
    #[account(seeds = [b"network"], bump)]
    pub network: Account<Network>,
    #[account(mut)]
    pub node: Account<Node>,
    #[account(
        init_if_needed,
        payer = staker,
        seeds = [b"position", node.address().as_ref(), staker.address().as_ref()],
        bump,
    )]
    pub position: Account<StakePosition>,
    #[account(mut, seeds = [b"stake", node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Account<TokenAccount>,
    /// The staker's IO.
    #[account(mut)]
    pub from: Account<TokenAccount>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

/// Bonds IO to a node. In this version its owner only. `amount` in base units of IO.
pub fn handler(ctx: &mut Context<Stake>, amount: u64) -> Result<()> {
    let staker = *ctx.accounts.staker.address();
    require!(amount > 0, IonetError::ZeroAmount);
    require!(ctx.accounts.node.owner == staker, IonetError::OnlyOwnerStakes);
    require!(ctx.accounts.node.flags & FLAG_RETIRED == 0, IonetError::NodeRetired);
    token::check_token_account(&ctx.accounts.from, &staker, &ctx.accounts.network.io_mint)?;
    let now = clock::now()?;
    let node_key = *ctx.accounts.node.address();

    let node = &mut ctx.accounts.node;
    let bonded_before = node.bonded.amount;
    let shares = node.bonded.deposit(amount)?;
    let owner_shares = node.owner_bonded_shares.get().checked_add(shares).ok_or(IonetError::Overflow)?;
    node.owner_bonded_shares = owner_shares.into();
    let era = node.bonded.era;
    let position = &mut ctx.accounts.position;
    let held = position.shares_in(era).checked_add(shares).ok_or(IonetError::Overflow)?;
    position.shares = held.into();
    position.era = era;
    position.node = node_key;
    position.staker = staker;
    position.bump = ctx.bumps.position;
    position.version = StakePosition::VERSION;
    token::transfer(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.stake_vault.cpi_handle_mut(),
        ctx.accounts.staker.cpi_handle(),
        amount,
        &[],
    );
    let seq = ctx.accounts.node.next_seq()?;
    let bonded = ctx.accounts.node.bonded;
    emit_event!(
        ctx,
        Staked {
            node: node_key,
            seq,
            at: now,
            position: *ctx.accounts.position.address(),
            staker,
            amount,
            shares,
            bonded_before,
            bonded_after: bonded.amount,
            bonded_shares_after: bonded.shares.get(),
            era,
        }
    );
    Ok(())
}
