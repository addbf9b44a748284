use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};
use bytemuck::Zeroable;

use crate::error::IonetError;
use crate::events::StakeWithdrawn;
use crate::payout::Recipient;
use crate::state::{Network, Node, StakePosition, Ticket, NODE_FLAG_FROZEN};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct Withdraw {
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The staker's position on this node.
    #[account(mut, constraint(position.node == *node.address() @ IonetError::WrongPosition))]
    pub position: Box<Account<StakePosition>>,
    /// CHECK: the position's staker; gets the rent when the position is empty.
    #[account(mut, address = position.staker @ IonetError::WrongPosition)]
    pub staker: UncheckedAccount,
    /// CHECK: the node's vault; it may be closed when only the position's rent is left to return.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: UncheckedAccount,
    /// CHECK: at the address of the staker's associated IO account; need not exist.
    #[account(mut)]
    pub to: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// The staker's owed account; only when their associated account cannot receive.
    #[account(mut)]
    pub owed: Option<Box<Account<TokenAccount>>>,
}

/// Pays every matured ticket to the staker and closes an empty position. Anyone may push it; not while a case has the
/// stake frozen.
pub fn handler(ctx: &mut Context<Withdraw>) -> Result<()> {
    let now = clock::now()?;
    let accounts = &mut ctx.accounts;
    let staker = *accounts.staker.address();
    let (node_key, position_key) = (*accounts.node.address(), *accounts.position.address());
    require!(accounts.node.flags & NODE_FLAG_FROZEN == 0, IonetError::NodeFrozen);
    let unbonding_before = accounts.node.unbonding.amount;
    let (amount, tickets) = redeem_matured(&mut accounts.node, &mut accounts.position, now)?;
    let position_closed = accounts.position.is_empty(accounts.node.bonded.era);
    // A position whose pool was wiped has no ticket; closing it gives the rent back.
    require!(tickets > 0 || position_closed, IonetError::NothingMatured);

    let (bump, first_key) = ([accounts.node.bump], accounts.node.first_device_key);
    let recipient = Recipient {
        owner: staker,
        mint: accounts.network.io_mint,
        to: &mut accounts.to,
        owed: accounts.owed.as_deref_mut(),
    };
    let (vault, authority) = (accounts.stake_vault.cpi_handle_mut(), accounts.node.cpi_handle());
    let owed = recipient.pay(vault, authority, amount, &[&[Node::SEED, first_key.as_ref(), &bump]])?;
    if position_closed {
        accounts.position.close(*accounts.staker.account())?;
    }
    let withdrawn = StakeWithdrawn {
        node: node_key,
        seq: accounts.node.next_seq()?,
        at: now,
        position: position_key,
        staker,
        amount,
        tickets,
        unbonding_before,
        unbonding_after: accounts.node.unbonding.amount,
        position_closed,
        owed,
    };
    emit_event!(ctx, withdrawn);
    Ok(())
}

/// Empties every matured ticket; one of an earlier era is worth nothing. Returns the amount and a bit per ticket.
fn redeem_matured(node: &mut Node, position: &mut StakePosition, now: i64) -> Result<(u64, u8)> {
    let era = node.unbonding.era;
    let is_owner = position.staker == node.owner;
    let (mut amount, mut paid) = (0u64, 0u8);
    for (bit, ticket) in position.tickets.iter_mut().enumerate() {
        let shares = ticket.shares.get();
        if shares == 0 || now < ticket.matures_at || (is_owner && node.awaits_lease(ticket, now)) {
            continue;
        }
        if ticket.era == era {
            amount = math::add(amount, node.unbonding.redeem(shares)?)?;
            if is_owner {
                let left = node.owner_unbonding_shares.get().checked_sub(shares).ok_or(IonetError::Overflow)?;
                node.owner_unbonding_shares = left.into();
            }
        }
        *ticket = Ticket::zeroed();
        paid |= 1 << bit;
    }
    Ok((amount, paid))
}
