//! A share pool: a slash lowers the amount, nobody's shares change, so it costs the same for one staker or thousands.

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::constants::{MAX_SHARES_PER_UNIT, VIRTUAL_ASSETS, VIRTUAL_SHARES};
use crate::error::IonetError;
use crate::math;

#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Pool {
    /// IO base units in the pool.
    pub amount: u64,
    /// Raised when a slash wipes the pool; shares of earlier eras are void.
    pub era: u32,
    pub _padding: [u8; 4],
    /// Claims on the amount, all together.
    pub shares: PodU128,
}

impl Pool {
    /// Adds `amount`, returns the new shares (rounded down, against the depositor).
    pub fn deposit(&mut self, amount: u64) -> Result<u128> {
        let shares = self.absorb(amount)?;
        require!(shares > 0, IonetError::DepositTooSmall);
        Ok(shares)
    }

    /// Like `deposit`, for stake on its way out, which must not be refused: an amount too small for a share stays in
    /// the pool for nothing.
    #[inline(never)]
    pub fn absorb(&mut self, amount: u64) -> Result<u128> {
        let (numerator, denominator) = self.rate()?;
        let shares = math::mul_div(u128::from(amount), numerator, denominator)?;
        self.amount = math::add(self.amount, amount)?;
        self.shares = self.shares.get().checked_add(shares).ok_or(IonetError::Overflow)?.into();
        Ok(shares)
    }

    /// Burns `shares`, returns what they are worth (rounded down).
    #[inline(never)]
    pub fn redeem(&mut self, shares: u128) -> Result<u64> {
        let amount = self.worth(shares)?;
        self.shares = self.shares.get().checked_sub(shares).ok_or(IonetError::Overflow)?.into();
        self.amount = math::sub(self.amount, amount)?;
        Ok(amount)
    }

    /// What `shares` of the current era are worth, rounded down and never more than the pool.
    pub fn worth(&self, shares: u128) -> Result<u64> {
        let (denominator, numerator) = self.rate()?;
        let worth = math::mul_div(shares, numerator, denominator)?;
        Ok(u64::try_from(worth).unwrap_or(u64::MAX).min(self.amount))
    }

    /// Shares to burn so that at least `amount` leaves (rounded up, against the leaver), at most `held`.
    pub fn shares_for(&self, amount: u64, held: u128) -> Result<u128> {
        let (numerator, denominator) = self.rate()?;
        Ok(math::mul_div_ceil(u128::from(amount), numerator, denominator)?.min(held))
    }

    /// Takes `amount` from everyone alike. A pool of which nothing worth a share is left starts a new era; the crumb,
    /// if any, stays in the pool and belongs to the next staker.
    pub fn slash(&mut self, amount: u64) -> Result<()> {
        self.amount = math::sub(self.amount, amount)?;
        let most = u128::from(self.amount).saturating_mul(MAX_SHARES_PER_UNIT);
        if self.shares.get() > most {
            self.shares = 0u128.into();
            self.era = self.era.checked_add(1).ok_or(IonetError::Overflow)?;
        }
        Ok(())
    }

    /// Shares per unit as a fraction, with the virtual offset.
    fn rate(&self) -> Result<(u128, u128)> {
        let shares = self.shares.get().checked_add(VIRTUAL_SHARES).ok_or(IonetError::Overflow)?;
        let assets = u128::from(self.amount).checked_add(VIRTUAL_ASSETS).ok_or(IonetError::Overflow)?;
        Ok((shares, assets))
    }
}
