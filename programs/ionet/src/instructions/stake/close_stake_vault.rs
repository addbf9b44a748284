use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::StakeVaultClosed;
use crate::state::{Network, Node, NODE_FLAG_FROZEN, NODE_FLAG_RETIRED};
use crate::{clock, emit_event, token};

#[event_cpi]
#[derive(Accounts)]
pub struct CloseStakeVault {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// CHECK: the node's owner, who paid the vault's rent.
    #[account(mut, address = node.owner @ IonetError::WrongRentPayer)]
    pub owner: UncheckedAccount,
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// Burn vault of IO.
    #[account(mut, seeds = [Network::BURN_SEED, network.io_mint.as_ref()], bump)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// What is left in it (crumbs of wiped pools, roundings of rewards, tokens that somebody sent) goes to the burn vault,
/// the rent to the owner.
pub fn handler(ctx: &mut Context<CloseStakeVault>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let node = &mut accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED != 0, IonetError::NodeNotRetired);
    require!(nobody_is_left(node), IonetError::VaultInUse);
    node.bonded.amount = 0;
    node.unbonding.amount = 0;
    node.co_rewards = 0;
    let surplus = accounts.stake_vault.amount();
    let closed = StakeVaultClosed { node: *node.address(), seq: node.next_seq()?, at: now, surplus };

    let (bump, first_key) = ([node.bump], node.first_device_key);
    let seeds: &[&[&[u8]]] = &[&[Node::SEED, first_key.as_ref(), &bump]];
    let (vault, to) = (accounts.stake_vault.cpi_handle_mut(), accounts.burn_vault.cpi_handle_mut());
    token::transfer(vault, to, accounts.node.cpi_handle(), surplus, seeds);
    let (vault, to) = (accounts.stake_vault.cpi_handle_mut(), accounts.owner.cpi_handle_mut());
    token::close(vault, to, accounts.node.cpi_handle(), seeds);
    emit_event!(ctx, closed);
    Ok(())
}

/// No share in either pool, no refill, no reward that somebody can claim, no lease that could still be charged, no case
/// that could still take.
fn nobody_is_left(node: &Node) -> bool {
    node.bonded.shares.get() == 0
        && node.unbonding.shares.get() == 0
        && node.refill == 0
        && node.owner_rewards == 0
        && node.co_settled == 0
        && node.leases_closed == node.next_lease_number
        && node.flags & NODE_FLAG_FROZEN == 0
}
