use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::RewardsClaimed;
use crate::payout::Recipient;
use crate::state::{Network, Node, StakePosition};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ClaimRewards {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The staker's; the owner, whose rewards are in the node, needs none.
    #[account(mut, constraint(position.node == *node.address() @ IonetError::WrongPosition))]
    pub position: Option<Box<Account<StakePosition>>>,
    /// CHECK: the position's staker; without a position the node's owner.
    pub staker: UncheckedAccount,
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// CHECK: at the address of the staker's associated IO account; need not exist.
    #[account(mut)]
    pub to: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The staker's owed account; only when their associated account cannot receive.
    #[account(mut)]
    pub owed: Option<Box<Account<TokenAccount>>>,
}

/// Anyone may push it, also on a frozen or retired node.
pub fn handler(ctx: &mut Context<ClaimRewards>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let (staker, node) = (*accounts.staker.address(), &mut accounts.node);
    let (expected, position_key) =
        accounts.position.as_ref().map_or((node.owner, Address::default()), |held| (held.staker, *held.address()));
    require!(staker == expected, IonetError::WrongPosition);
    let amount = match accounts.position.as_mut() {
        Some(position) if staker != node.owner => node.claim_co(position)?,
        _ => core::mem::take(&mut node.owner_rewards),
    };
    require!(amount > 0, IonetError::NothingToClaim);

    let (node_key, seq) = (*node.address(), node.next_seq()?);
    let (bump, first_key) = ([node.bump], node.first_device_key);
    let recipient = Recipient {
        owner: staker,
        mint: accounts.network.io_mint,
        to: &mut accounts.to,
        owed: accounts.owed.as_deref_mut(),
    };
    let (vault, authority) = (accounts.stake_vault.cpi_handle_mut(), accounts.node.cpi_handle());
    let owed = recipient.pay(vault, authority, amount, &[&[Node::SEED, first_key.as_ref(), &bump]])?;
    let claimed = RewardsClaimed {
        node: node_key,
        seq,
        at: now,
        position: position_key,
        staker,
        amount,
        owed,
        owner_rewards_after: accounts.node.owner_rewards,
        co_rewards_after: accounts.node.co_rewards,
    };
    emit_event!(ctx, claimed);
    Ok(())
}
