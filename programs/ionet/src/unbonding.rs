//! How stake moves from the bonded to the unbonding pool.

use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::UnbondRequested;
use crate::math;
use crate::state::{Node, Params, StakePosition, Ticket, NODE_FLAG_RETIRED};

/// Seconds until unbonded stake may leave. A co-staker also gives notice, and an owner with co-stakers twice: so who
/// asks on the same day as the owner is out first. On a retired node, which nobody can book, the cooldown is all.
pub fn cooldown(node: &Node, position: &StakePosition, params: &Params) -> u32 {
    let notices = if node.flags & NODE_FLAG_RETIRED != 0 {
        0
    } else if position.staker != node.owner {
        1
    } else if node.has_co_stake() {
        2
    } else {
        0
    };
    params.unbond_cooldown_secs.saturating_add(params.co_notice_secs.saturating_mul(notices))
}

/// One move from the bonded to the unbonding pool.
pub struct Unbonded {
    ticket: u8,
    amount: u64,
    shares_burned: u128,
    placed: Ticket,
}

impl Unbonded {
    pub fn event(
        &self,
        node_key: Address,
        seq: u64,
        at: i64,
        position: Address,
        staker: Address,
        node: &Node,
    ) -> UnbondRequested {
        UnbondRequested {
            node: node_key,
            seq,
            at,
            position,
            staker,
            ticket: self.ticket,
            amount: self.amount,
            shares_burned: self.shares_burned,
            ticket_shares: self.placed.shares.get(),
            ticket_era: self.placed.era,
            matures_at: self.placed.matures_at,
            lease_over_by: self.placed.lease_over_by,
            bonded_after: node.bonded.amount,
            unbonding_after: node.unbonding.amount,
        }
    }
}

/// Burns shares worth `amount` (or all) and puts a ticket into `slot`. A ticket already there is merged: its shares
/// are added and the later maturity holds. Shares that are worth nothing go without a ticket. The owner's ticket also
/// waits for the lease that runs now, at the latest until it is booked to be over; extensions do not move that.
pub fn unbond(
    node: &mut Node,
    position: &mut StakePosition,
    slot: usize,
    amount: u64,
    cooldown: u32,
    now: i64,
) -> Result<Unbonded> {
    let held = position.shares_in(node.bonded.era);
    require!(held > 0, IonetError::NothingBonded);
    node.settle(position)?;
    let burned = if amount >= node.bonded.worth(held)? { held } else { node.bonded.shares_for(amount, held)? };
    let left = held.checked_sub(burned).ok_or(IonetError::Overflow)?;
    let worth = node.bonded.redeem(burned)?;
    let shares = node.unbonding.absorb(worth)?;
    position.shares = left.into();
    if position.staker == node.owner {
        move_owner_shares(node, burned, shares)?;
    }
    let era = node.unbonding.era;
    let matures_at = math::add_time(now, u64::from(cooldown))?;
    let waits = position.staker == node.owner;
    let ticket = position.tickets.get_mut(slot).ok_or(IonetError::TooManyTickets)?;
    if shares > 0 {
        let kept = if ticket.era == era { ticket.shares.get() } else { 0 };
        ticket.shares = kept.checked_add(shares).ok_or(IonetError::Overflow)?.into();
        ticket.era = era;
        ticket.matures_at = ticket.matures_at.max(matures_at);
        if waits {
            ticket.lease_number = node.next_lease_number;
            ticket.lease_over_by = ticket.lease_over_by.max(node.busy_until);
        }
    }
    let placed = *ticket;
    let ticket = u8::try_from(slot).map_err(|_| IonetError::Overflow)?;
    Ok(Unbonded { ticket, amount: worth, shares_burned: burned, placed })
}

fn move_owner_shares(node: &mut Node, burned: u128, made: u128) -> Result<()> {
    let bonded = node.owner_bonded_shares.get().checked_sub(burned).ok_or(IonetError::Overflow)?;
    let unbonding = node.owner_unbonding_shares.get().checked_add(made).ok_or(IonetError::Overflow)?;
    node.owner_bonded_shares = bonded.into();
    node.owner_unbonding_shares = unbonding.into();
    Ok(())
}
