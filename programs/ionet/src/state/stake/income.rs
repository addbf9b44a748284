//! Income that an owner shares with the node's stakers: a part of every settlement, in its currency, divided over all
//! bonded shares; the owner's part of it stays with the payout. An accumulator per currency, like that of rewards.

use anchor_lang::prelude::*;

use crate::constants::REWARD_SCALE;
use crate::error::IonetError;
use crate::math;
use crate::state::{Lease, Node, StakePosition};

/// Where a currency's figures are in the arrays of a node and a position.
pub fn place_of(currency: u8) -> usize {
    currency.trailing_zeros() as usize
}

impl Node {
    /// The part of income in a currency that a lease booked now shares: none without a vault for it.
    pub fn income_share_of(&self, currency: u8) -> u16 {
        let opened = self.income_vault_bumps.get(place_of(currency)).is_some_and(|bump| *bump != 0);
        if opened {
            self.income_share_bps
        } else {
            0
        }
    }

    /// Divides `amount` over the bonded shares; returns what falls on the co-stakers', which goes to the vault.
    #[inline(never)]
    pub fn share_income(&mut self, currency: u8, amount: u64) -> Result<u64> {
        let (at, shares) = (place_of(currency), self.bonded.shares.get());
        let co_shares = shares.saturating_sub(self.owner_bonded_shares.get());
        if co_shares == 0 {
            return Ok(0);
        }
        let to_co = math::to_u64(math::mul_div(amount.into(), co_shares, shares)?)?;
        let each = math::mul_div(to_co.into(), REWARD_SCALE, co_shares)?;
        let per_share = self.income_per_share.get_mut(at).ok_or(IonetError::Overflow)?;
        *per_share = per_share.get().checked_add(each).ok_or(IonetError::Overflow)?.into();
        let held = self.co_income.get_mut(at).ok_or(IonetError::Overflow)?;
        *held = math::add(*held, to_co)?;
        Ok(to_co)
    }

    /// Brings a co-staker's position up to date with the accumulators of income. Call it before its shares change.
    #[inline(never)]
    pub fn settle_income(&mut self, position: &mut StakePosition) -> Result<()> {
        let shares = position.shares_in(self.bonded.era);
        let ours = self.income_per_share.iter().zip(self.co_income_settled.iter_mut());
        let theirs = position.income_debt.iter_mut().zip(position.income.iter_mut());
        for ((total, settled), (debt, income)) in ours.zip(theirs) {
            let gained = total.get().checked_sub(debt.get()).ok_or(IonetError::Overflow)?;
            if gained == 0 {
                continue;
            }
            let earned = math::to_u64(math::mul_div(shares, gained, REWARD_SCALE)?)?;
            *debt = *total;
            *income = math::add(*income, earned)?;
            *settled = math::add(*settled, earned)?;
        }
        Ok(())
    }

    /// Takes what a co-staker's position can claim in a currency.
    pub fn claim_income(&mut self, position: &mut StakePosition, currency: u8) -> Result<u64> {
        self.settle(position)?;
        let at = place_of(currency);
        let amount = position.income.get_mut(at).map_or(0, core::mem::take);
        for held in [&mut self.co_income, &mut self.co_income_settled] {
            let held = held.get_mut(at).ok_or(IonetError::Overflow)?;
            *held = math::sub(*held, amount)?;
        }
        Ok(amount)
    }

    /// Forgets the vault at a place, and roundings that nobody can claim.
    pub fn forget_income(&mut self, at: usize) {
        if let Some(bump) = self.income_vault_bumps.get_mut(at) {
            *bump = 0;
        }
        if let Some(held) = self.co_income.get_mut(at) {
            *held = 0;
        }
    }

    /// Counts an ended lease whose income is shared and not settled in full: until then no stranger may join.
    pub fn count_unsettled(&mut self, lease: &mut Lease) -> Result<()> {
        if lease.income_share_bps > 0 && lease.unsettled == 0 {
            lease.unsettled = 1;
            self.unsettled = self.unsettled.checked_add(1).ok_or(IonetError::Overflow)?;
        }
        Ok(())
    }

    /// Forgets it once everything is paid.
    pub fn count_settled(&mut self, lease: &mut Lease) -> Result<()> {
        if lease.unsettled == 1 {
            lease.unsettled = 0;
            self.unsettled = self.unsettled.checked_sub(1).ok_or(IonetError::Overflow)?;
        }
        Ok(())
    }
}
