use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};

use crate::error::IonetError;
use crate::events::{StakeRefilled, Staked};
use crate::payment::Payment;
use crate::state::{Lease, Network, Node, StakePosition, NODE_FLAG_FROZEN, NODE_FLAG_RETIRED};
use crate::{clock, emit_event, math, token};

#[event_cpi]
#[derive(Accounts)]
pub struct Stake {
    /// Owns the position; pays its rent.
    #[account(mut)]
    pub staker: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The staker's position on this node; created by the first stake.
    #[account(
        init_if_needed,
        payer = staker,
        seeds = [StakePosition::SEED, node.address().as_ref(), staker.address().as_ref()],
        bump,
    )]
    pub position: Box<Account<StakePosition>>,
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// The staker's IO.
    #[account(mut)]
    pub from: Box<Account<TokenAccount>>,
    /// Moves tokens.
    pub token_program: Program<Token>,
    /// Creates accounts.
    pub system_program: Program<System>,
    /// The lease that occupies the node; needed unless nobody but the staker would share in it. More stake is taken only
    /// when its matured time is paid.
    pub lease: Option<Box<Account<Lease>>>,
}

/// Bonds IO to a node: its owner's, or a co-staker's while the owner shares rewards. `amount` in base units of IO.
/// While a case has the node frozen only the owner may put IO in, as a refill outside the shares; afterwards their next
/// stake, also of nothing and also on a retired node, turns the refill into shares.
pub fn handler(ctx: &mut Context<Stake>, amount: u64) -> Result<()> {
    let staker = *ctx.accounts.staker.address();
    token::check_token_account(&ctx.accounts.from, &staker, &ctx.accounts.network.io_mint)?;
    let now = clock::now()?;
    if ctx.accounts.node.shares_income_with_others(&staker) {
        check_settled(&ctx.accounts.node, ctx.accounts.lease.as_deref())?;
    }
    let (bump, co_max_percent) = (ctx.bumps.position, ctx.accounts.network.params.co_stake_max_percent);
    let (node_key, position_key) = (*ctx.accounts.node.address(), *ctx.accounts.position.address());
    let (node, position) = (&mut ctx.accounts.node, &mut ctx.accounts.position);
    position.node = node_key;
    position.staker = staker;
    position.bump = bump;
    position.version = StakePosition::VERSION;

    let (is_owner, refill_before) = (staker == node.owner, node.refill);
    let shared = admit(node, is_owner, amount, now)?;
    let bonded_before = node.bonded.amount;
    let staked = if shared > 0 {
        let shares = bond(node, position, shared)?;
        if !is_owner {
            node.check_co_stake(co_max_percent)?;
        }
        Some(Staked {
            node: node_key,
            seq: node.next_seq()?,
            at: now,
            position: position_key,
            staker,
            amount: shared,
            shares,
            bonded_before,
            bonded_after: node.bonded.amount,
            bonded_shares_after: node.bonded.shares.get(),
            era: node.bonded.era,
        })
    } else {
        None
    };
    let refilled = if node.refill == refill_before {
        None
    } else {
        Some(StakeRefilled {
            node: node_key,
            seq: node.next_seq()?,
            at: now,
            owner: staker,
            amount: node.refill.saturating_sub(refill_before),
            refill_after: node.refill,
        })
    };
    token::transfer(
        ctx.accounts.from.cpi_handle_mut(),
        ctx.accounts.stake_vault.cpi_handle_mut(),
        ctx.accounts.staker.cpi_handle(),
        amount,
        &[],
    );
    if let Some(event) = staked {
        emit_event!(ctx, event);
    }
    if let Some(event) = refilled {
        emit_event!(ctx, event);
    }
    Ok(())
}

/// Refuses more stake while income that others stood behind is not handed to them: of an ended lease anything, of the
/// present one what has matured, and the pay for a readiness that nobody answered in time.
#[inline(never)]
fn check_settled(node: &Node, lease: Option<&Account<Lease>>) -> Result<()> {
    require!(node.unsettled == 0, IonetError::IncomeUnsettled);
    if node.current_lease == Address::default() {
        return Ok(());
    }
    let lease = lease.ok_or(IonetError::IncomeUnsettled)?;
    require!(*lease.address() == node.current_lease, IonetError::IncomeUnsettled);
    if lease.income_share_bps == 0 {
        return Ok(());
    }
    let at = &clock::moment()?;
    require!(!lease.is_unanswered(at), IonetError::IncomeUnsettled);
    if !lease.has_run() {
        return Ok(());
    }
    let mut copy: Lease = **lease;
    copy.catch_up(at)?;
    copy.fold(at)?;
    require!(Payment::due(&copy)?.is_empty(), IonetError::IncomeUnsettled);
    Ok(())
}

/// Decides whether this stake is welcome, books the refill, and returns what becomes shares.
fn admit(node: &mut Node, is_owner: bool, amount: u64, now: i64) -> Result<u64> {
    let (frozen, retired) = (node.flags & NODE_FLAG_FROZEN != 0, node.flags & NODE_FLAG_RETIRED != 0);
    let redeems_refill = is_owner && !frozen && node.refill > 0;
    require!(amount > 0 || redeems_refill, IonetError::ZeroAmount);
    require!(!retired || (redeems_refill && amount == 0), IonetError::NodeRetired);
    require!(!frozen || is_owner, IonetError::NodeFrozen);
    if frozen {
        node.refill = math::add(node.refill, amount)?;
        return Ok(0);
    }
    if is_owner {
        return math::add(amount, core::mem::take(&mut node.refill));
    }
    require!(node.co_share(now) > 0 || node.income_share_bps > 0, IonetError::NotOpenToCoStake);
    Ok(amount)
}

/// Turns `amount` into shares of the position.
fn bond(node: &mut Node, position: &mut StakePosition, amount: u64) -> Result<u128> {
    node.settle(position)?;
    let shares = node.bonded.deposit(amount)?;
    let era = node.bonded.era;
    position.shares = position.shares_in(era).checked_add(shares).ok_or(IonetError::Overflow)?.into();
    position.era = era;
    if position.staker == node.owner {
        let owned = node.owner_bonded_shares.get().checked_add(shares).ok_or(IonetError::Overflow)?;
        node.owner_bonded_shares = owned.into();
    }
    Ok(shares)
}
