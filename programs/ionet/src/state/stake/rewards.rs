//! What a node's stakers share besides the stake itself: how much co-stakers may hold, and rewards. The co-stakers'
//! rewards run through an accumulator per share, so funding costs the same for one co-staker or thousands; a position
//! settles whenever its shares change. The owner's part is in the node.
//!
//! `co_rewards` is what the vault holds for co-stakers, `co_settled` the part of it that positions have settled and not
//! claimed. The rest belongs to shares that have not settled yet, so without co-stakers' shares it belongs to nobody:
//! roundings, and what the shares of a wiped pool had not settled.

use anchor_lang::prelude::*;

use crate::constants::{BPS, CO_SHARES_PER_UNIT, PERCENT, REWARD_SCALE};
use crate::error::IonetError;
use crate::math;
use crate::state::{Node, StakePosition};

impl Node {
    /// IO of the bonded pool that belongs to the owner, base units; the rest is co-stake.
    #[inline(never)]
    pub fn owner_bonded(&self) -> Result<u64> {
        let owned = self.owner_bonded_shares.get();
        if owned > 0 && owned == self.bonded.shares.get() {
            return Ok(self.bonded.amount);
        }
        self.bonded.worth(owned)
    }

    /// Bonded stake that counts for new leases: the owner's, and co-stake up to its part of the two together. So the
    /// owner may always leave: the co-stake that is then too much counts for nothing.
    pub fn counted_stake(&self, co_max_percent: u8) -> Result<u64> {
        let owner = self.owner_bonded()?;
        let most = u64::from(co_max_percent);
        let beside = math::mul_div(owner.into(), most.into(), PERCENT.saturating_sub(most).into())?;
        let co = u128::from(math::sub(self.bonded.amount, owner)?).min(beside);
        math::add(owner, math::to_u64(co)?)
    }

    /// Refuses co-stake beyond its part of the bonded pool, and a pool whose shares say too little: slashed to so small
    /// a part that the next slash could void them, or so few that rounding would eat a stake.
    #[inline(never)]
    pub fn check_co_stake(&self, co_max_percent: u8) -> Result<()> {
        let (shares, amount) = (self.bonded.shares.get(), u128::from(self.bonded.amount));
        require!(amount <= shares && shares <= amount.saturating_mul(CO_SHARES_PER_UNIT), IonetError::NotOpenToCoStake);
        let co = math::sub(self.bonded.amount, self.owner_bonded()?)?;
        let most = math::mul_div(amount, u128::from(co_max_percent), PERCENT.into())?;
        require!(u128::from(co) <= most, IonetError::CoStakeTooHigh);
        Ok(())
    }

    /// The part of rewards that co-stakers get now, in basis points; terms that fell due take effect.
    pub fn co_share(&mut self, now: i64) -> u16 {
        if self.pending_co_share_at > 0 && now >= self.pending_co_share_at {
            self.co_share_bps = self.pending_co_share_bps;
            self.income_share_bps = self.pending_income_share_bps;
            self.pending_co_share_bps = 0;
            self.pending_income_share_bps = 0;
            self.pending_co_share_at = 0;
        }
        self.co_share_bps
    }

    /// Sets the co-stakers' parts of rewards and of income: better ones bind at once, worse ones at `notice_over`; what
    /// was pending before is dropped.
    pub fn set_co_terms(&mut self, share_bps: u16, income_bps: u16, notice_over: i64) {
        let worse = share_bps < self.co_share_bps || income_bps < self.income_share_bps;
        self.pending_co_share_bps = if worse { share_bps } else { 0 };
        self.pending_income_share_bps = if worse { income_bps } else { 0 };
        self.pending_co_share_at = if worse { notice_over } else { 0 };
        self.co_share_bps = self.co_share_bps.max(share_bps);
        self.income_share_bps = self.income_share_bps.max(income_bps);
    }

    /// Divides `amount` among the stakers; returns the owner's and the co-stakers' part.
    #[inline(never)]
    pub fn reward(&mut self, amount: u64, now: i64) -> Result<(u64, u64)> {
        let shares = self.bonded.shares.get();
        require!(shares > 0, IonetError::NobodyToReward);
        let co_shares = shares.saturating_sub(self.owner_bonded_shares.get());
        let pro_rata = math::to_u64(math::mul_div(amount.into(), co_shares, shares)?)?;
        let to_co = math::bps_floor(pro_rata, u64::from(self.co_share(now)).min(BPS))?;
        if to_co > 0 {
            let each = math::mul_div(to_co.into(), REWARD_SCALE, co_shares)?;
            let total = self.reward_per_share.get().checked_add(each).ok_or(IonetError::Overflow)?;
            self.reward_per_share = total.into();
            self.co_rewards = math::add(self.co_rewards, to_co)?;
        }
        let to_owner = math::sub(amount, to_co)?;
        self.owner_rewards = math::add(self.owner_rewards, to_owner)?;
        Ok((to_owner, to_co))
    }

    /// Brings a co-staker's position up to date with the accumulators. Call it before its shares change; shares of an
    /// era that a slash ended get nothing. The owner's position takes no part.
    #[inline(never)]
    pub fn settle(&mut self, position: &mut StakePosition) -> Result<()> {
        if position.staker == self.owner {
            return Ok(());
        }
        let total = self.reward_per_share.get();
        let gained = total.checked_sub(position.reward_debt.get()).ok_or(IonetError::Overflow)?;
        let earned = math::to_u64(math::mul_div(position.shares_in(self.bonded.era), gained, REWARD_SCALE)?)?;
        position.reward_debt = total.into();
        position.rewards = math::add(position.rewards, earned)?;
        self.co_settled = math::add(self.co_settled, earned)?;
        self.settle_income(position)
    }

    /// Takes what a co-staker's position can claim.
    pub fn claim_co(&mut self, position: &mut StakePosition) -> Result<u64> {
        self.settle(position)?;
        let amount = core::mem::take(&mut position.rewards);
        self.co_settled = math::sub(self.co_settled, amount)?;
        self.co_rewards = math::sub(self.co_rewards, amount)?;
        Ok(amount)
    }
}
