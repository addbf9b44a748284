use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::StakeWithdrawn;
use crate::state::{Network, Node, StakePosition, Ticket};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct Withdraw {
    #[account(seeds = [b"network"], bump)]
    pub network: Account<Network>,
    #[account(mut)]
    pub node: Account<Node>,
    #[account(mut, constraint(position.node == *node.address() @ IonetError::WrongPosition))]
    pub position: Account<StakePosition>,
    /// CHECK: the position's staker; gets the rent when the position is empty.
    #[account(mut, address = position.staker @ IonetError::WrongPosition)]
    pub staker: UncheckedAccount,
    #[account(mut, seeds = [b"stake", node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Account<TokenAccount>,
    /// The staker's associated IO account.
    #[account(mut)]
    pub to: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

/// Pays every matured ticket to the staker's associated account and closes an empty position. Anyone may push it.
pub fn handler(ctx: &mut Context<Withdraw>) -> Result<()> {
    let now = clock::now()?;
    let staker = *ctx.accounts.staker.address();
    token::check_associated(&ctx.accounts.to, &staker, &ctx.accounts.network.io_mint)?;
    let node_key = *ctx.accounts.node.address();
    let unbonding_before = ctx.accounts.node.unbonding.amount;
    let (amount, tickets) = redeem_matured(&mut ctx.accounts.node, &mut ctx.accounts.position, now)?;
    let position_closed = ctx.accounts.position.is_empty(ctx.accounts.node.bonded.era);
    // A position whose pool was wiped has no ticket; closing it gives the rent back.
    require!(tickets > 0 || position_closed, IonetError::NothingMatured);

    let (bump, first_key) = ([ctx.accounts.node.bump], ctx.accounts.node.first_device_key);
    token::transfer(
        ctx.accounts.stake_vault.cpi_handle_mut(),
        ctx.accounts.to.cpi_handle_mut(),
        ctx.accounts.node.cpi_handle(),
        amount,
        &[&[Node::SEED, first_key.as_ref(), &bump]],
    );
    let position_key = *ctx.accounts.position.address();
    if position_closed {
        ctx.accounts.position.close(*ctx.accounts.staker.account())?;
    }
    let seq = ctx.accounts.node.next_seq()?;
    emit_event!(
        ctx,
        StakeWithdrawn {
            node: node_key,
            seq,
            at: now,
            position: position_key,
            staker,
            amount,
            tickets,
            unbonding_before,
            unbonding_after: ctx.accounts.node.unbonding.amount,
            position_closed,
            owed: false,
        }
    );
    Ok(())
}

/// Empties every matured ticket; one of an earlier era is worth nothing. Returns the amount and a bit per ticket.
fn redeem_matured(node: &mut Node, position: &mut StakePosition, now: i64) -> Result<(u64, u8)> {
    let era = node.unbonding.era;
    let is_owner = position.staker == node.owner;
    let (mut amount, mut paid) = (0u64, 0u8);
    for (bit, ticket) in position.tickets.iter_mut().enumerate() {
        let shares = ticket.shares.get();
        if shares == 0 || now < ticket.matures_at {
            continue;
        }
        if ticket.era == era {
            amount = math::add(amount, node.unbonding.redeem(shares)?)?;
            if is_owner {
                let left = node.owner_unbonding_shares.get().checked_sub(shares).ok_or(IonetError::Overflow)?;
                node.owner_unbonding_shares = left.into();
            }
        }
        *ticket = Ticket { matures_at: 0, shares: 0u128.into(), era: 0, reserved: [0; 4] };
        paid |= 1 << bit;
    }
    Ok((amount, paid))
}
