use anchor_lang::prelude::*;
use bytemuck::Zeroable;

use super::Params;
use crate::constants::{BPS, IO_UNIT};
use crate::error::IonetError;
use crate::math;
use crate::oracle::{Price, Seen};

/// How long the last price seen may value the compensation of a slash, seconds.
#[constant]
pub const RECENT_PRICE_SECS: u64 = 600;

/// The books of IOSD: `supply = minted − redeemed − fee_burned`, `backing = io_burned − io_redeemed`.
#[account]
pub struct Iosd {
    /// IOSD ever minted, base units.
    pub minted: u64,
    /// IOSD ever redeemed.
    pub redeemed: u64,
    /// IOSD burned as fees.
    pub fee_burned: u64,
    /// IO burned to mint IOSD.
    pub io_burned: u64,
    /// IO minted by redemptions.
    pub io_redeemed: u64,
    /// IO burned for other reasons (slashes, fees, buybacks).
    pub io_other_burned: u64,
    /// Publish time of the newest price used, unix seconds.
    pub last_publish_time: i64,
    /// Micro-dollars per IO (rounded down) that the last price used puts on IO that comes in; 0 = none yet.
    pub last_price: u64,
    /// Micro-dollars per IO (rounded up) that the last price used puts on IO that goes out; 0 = none yet.
    pub last_high_price: u64,
    /// When something was last minted, unix seconds.
    pub mint_window_start: i64,
    /// Its slot: a limit does not refill while the chain stands still.
    pub mint_window_slot: u64,
    /// How much of the minting limit was used then.
    pub mint_window_amount: u64,
    /// When something was last redeemed, unix seconds.
    pub redeem_window_start: i64,
    /// Its slot.
    pub redeem_window_slot: u64,
    /// How much of the redemption limit was used then.
    pub redeem_window_amount: u64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Of this account's address.
    pub bump: u8,
    /// `Iosd::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 22],
}

impl Iosd {
    pub const SEED: &'static [u8] = b"iosd";
    pub const VERSION: u8 = 1;

    /// Books before the first mint.
    pub fn new(bump: u8) -> Self {
        Self { bump, version: Self::VERSION, ..Self::zeroed() }
    }

    /// IO that backs the IOSD in circulation: what was burned for it less what redemptions minted.
    pub fn backing(&self) -> Result<u64> {
        math::sub(self.io_burned, self.io_redeemed)
    }

    /// What the backing is worth at `io_price` (micro-dollars per IO), in basis points of the IOSD in circulation.
    pub fn coverage_bps(&self, io_price: u64) -> Result<u64> {
        let worth = math::mul_div(u128::from(self.backing()?), u128::from(io_price), u128::from(IO_UNIT))?;
        let supply = u128::from(self.supply()?);
        if supply == 0 {
            return Ok(u64::MAX);
        }
        Ok(u64::try_from(math::mul_div(worth, u128::from(BPS), supply)?).unwrap_or(u64::MAX))
    }

    /// Remembers a price that was used, unless a newer one was seen; the newest is the rate of last resort.
    pub fn use_price(&mut self, price: &Price) -> Result<()> {
        if let Some(seen) = price.to_remember()? {
            self.last_publish_time = price.publish_time;
            self.last_price = seen.low;
            self.last_high_price = seen.high;
        }
        Ok(())
    }

    /// The last price seen, if it is newer than one published at `publish_time`.
    pub fn seen_after(&self, publish_time: i64) -> Option<Seen> {
        (self.last_publish_time > publish_time).then_some(Seen { low: self.last_price, high: self.last_high_price })
    }

    /// The last price seen for IO that comes in, while it is recent enough to value a compensation; else 0.
    pub fn recent_price(&self, now: i64) -> u64 {
        if math::secs_between(self.last_publish_time, now) < RECENT_PRICE_SECS {
            self.last_price
        } else {
            0
        }
    }

    /// IO that redeeming `amount` pays when it is worth `worth` IO: at most its part of the backing, less the spread.
    pub fn redeem_out(&self, amount: u64, worth: u64, spread_bps: u16) -> Result<u64> {
        let supply = u128::from(self.supply()?.max(amount));
        let part = math::mul_div(u128::from(amount), u128::from(self.backing()?), supply)?;
        let gross = worth.min(math::to_u64(part)?);
        math::sub(gross, math::bps_ceil(gross, u64::from(spread_bps))?)
    }

    /// Refuses a mint beyond the limit of its window.
    pub fn limit_mint(&mut self, amount: u64, params: &Params, now: i64, slot: u64) -> Result<()> {
        let most = math::bps_floor(self.supply()?, u64::from(params.mint_limit_bps))?.max(params.mint_floor);
        let secs = math::elapsed(self.mint_window_start, self.mint_window_slot, now, slot, params.slot_ms);
        let used = leaked(self.mint_window_amount, secs, most, params.limiter_window_secs)?;
        self.mint_window_amount = math::add(used, amount)?;
        self.mint_window_start = now;
        self.mint_window_slot = slot;
        require!(self.mint_window_amount <= most, IonetError::WindowFull);
        Ok(())
    }

    /// Refuses a redemption beyond the limit of its window.
    pub fn limit_redeem(&mut self, amount: u64, params: &Params, now: i64, slot: u64) -> Result<()> {
        let most = math::bps_floor(self.supply()?, u64::from(params.redeem_limit_bps))?.max(params.redeem_floor);
        let secs = math::elapsed(self.redeem_window_start, self.redeem_window_slot, now, slot, params.slot_ms);
        let used = leaked(self.redeem_window_amount, secs, most, params.limiter_window_secs)?;
        self.redeem_window_amount = math::add(used, amount)?;
        self.redeem_window_start = now;
        self.redeem_window_slot = slot;
        require!(self.redeem_window_amount <= most, IonetError::WindowFull);
        Ok(())
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }

    /// IOSD that the books say exist.
    pub fn supply(&self) -> Result<u64> {
        self.minted
            .checked_sub(self.redeemed)
            .and_then(|left| left.checked_sub(self.fee_burned))
            .ok_or_else(|| IonetError::Overflow.into())
    }
}

/// What is left of `used` after `secs`: the limit refills evenly, the whole of it within `window` seconds, so that no
/// boundary between windows lets twice as much through.
fn leaked(used: u64, secs: u64, most: u64, window: u32) -> Result<u64> {
    let refilled = math::mul_div(u128::from(most), u128::from(secs), u128::from(window.max(1)))?;
    Ok(used.saturating_sub(u64::try_from(refilled).unwrap_or(u64::MAX)))
}
