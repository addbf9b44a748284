//! What parameters may be. A lower bound protects whoever waits or answers, an upper one whoever would be locked in or
//! charged; those of the mainnet profile hold where real money is, any positive wait will do on a local chain.

use anchor_lang::prelude::*;

use super::{Params, PROFILE_MAINNET};
use crate::constants::{BPS, IO_GENESIS, PERCENT, PROMISES_KEPT, RING};
use crate::error::IonetError;

/// No wait that a parameter imposes may be longer: an authority must not be able to lock anybody in.
#[constant]
pub const MAX_WAIT_SECS: u32 = 90 * DAY;
const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;
/// What a price may be off at most, and what a mint or redemption may leave in the backing, whatever the parameters
/// say.
const MAX_PRICE_BPS: u16 = 500;
/// Longest window of the limiters, and longest wait for redemption at the last rate: IOSD must stay redeemable.
const MAX_LIMITER_SECS: u32 = DAY;
const MAX_LAST_RATE_SECS: u32 = 7 * DAY;
/// Least part of the supply that can be redeemed in a day.
const MIN_DAILY_REDEEM_BPS: u64 = 1_000;
/// Oldest price, and furthest in the future, that parameters can admit.
const MAX_PRICE_AGE_SECS: u32 = 600;
/// Longest time after a restart in which nobody is held to a deadline.
const MAX_RECOVERY_SECS: u32 = DAY;
/// Part of the locked price of missed time that a renter can get at most.
const MAX_RENTER_SHARE_BPS: u16 = 2_500;
/// Highest fee of a side, slash of a broken promise, bond of a dispute, and part of a node that cases can take.
const MAX_FEE_BPS: u16 = 500;
const MAX_PROMISE_BPS: u16 = 100;
const MAX_BOND_BPS: u16 = 500;
const MAX_CASE_BPS: u16 = 2_000;
/// Most that cases can take from all nodes in a window: a hundredth of the genesis supply.
const MAX_CASE_NETWORK: u64 = IO_GENESIS / PERCENT;

impl Params {
    /// Refuses figures that would lock anybody in, leave anybody without the time to answer, make breaking a promise
    /// cheaper than keeping it, or cannot work.
    pub fn validate(&self, profile: u8) -> Result<()> {
        self.check_ring()?;
        let fine = self.waits_are_bounded()
            && self.tiers_rise()
            && self.parts_are_parts()
            && self.limits_let_something_through()
            && (profile != PROFILE_MAINNET || self.protects())
            && self._padding == [0; 74];
        require!(fine, IonetError::BadParams);
        Ok(())
    }

    fn waits_are_bounded(&self) -> bool {
        let open_intervals = u32::from(self.grace_intervals).saturating_add(1);
        let waits = [
            self.interval_secs.saturating_mul(open_intervals).saturating_add(self.dispute_window_secs),
            self.ready_deadline_secs,
            self.accept_deadline_secs,
            self.dispute_window_secs,
            self.defend_window_secs,
            self.fault_after_secs,
            self.unbond_cooldown_secs,
            self.co_notice_secs,
            self.terms_notice_secs,
            self.timelock_secs,
            self.promise_window_secs,
            self.idle_close_secs,
            self.last_rate_after_secs,
            self.limiter_window_secs,
            self.appeal_secs,
            self.case_window_secs,
        ];
        waits.iter().all(|secs| *secs > 0 && *secs <= MAX_WAIT_SECS)
            && self.reject_floor_secs <= self.accept_deadline_secs
            && self.min_charge_secs <= 2 * HOUR
            && self.recovery_secs <= MAX_RECOVERY_SECS
            && self.last_rate_after_secs <= MAX_LAST_RATE_SECS
            && self.limiter_window_secs <= MAX_LIMITER_SECS
            && self.defend_window_secs >= self.dispute_window_secs
            && (1..=MAX_PRICE_AGE_SECS).contains(&self.price_max_age_secs)
            && self.price_future_secs <= MAX_PRICE_AGE_SECS
            && (100..=500).contains(&self.slot_ms)
    }

    /// The waits and caps that people rely on who cannot watch all day.
    fn protects(&self) -> bool {
        let leave = self.unbond_cooldown_secs.saturating_add(self.co_notice_secs);
        let daily_redeem = u64::from(self.redeem_limit_bps)
            .saturating_mul(DAY.into())
            .checked_div(self.limiter_window_secs.into())
            .unwrap_or(0);
        self.timelock_secs >= DAY
            && self.appeal_secs >= leave
            && self.terms_notice_secs >= leave
            && self.case_window_secs >= 30 * DAY
            && self.case_network_cap <= MAX_CASE_NETWORK
            && self.dispute_window_secs >= 30 * MINUTE
            && self.defend_window_secs >= 30 * MINUTE
            && self.ready_deadline_secs >= 2 * MINUTE
            && (5 * MINUTE..=HOUR).contains(&self.accept_deadline_secs)
            && self.idle_close_secs >= DAY
            && self.limiter_window_secs >= 10 * MINUTE
            && daily_redeem >= MIN_DAILY_REDEEM_BPS
    }

    /// A longer outage costs more, leaving with notice never more than the shortest one, and never as much as only
    /// co-stakers have.
    fn tiers_rise(&self) -> bool {
        let first = self.interval_secs.saturating_mul(u32::from(self.tier1_intervals));
        let owners = PERCENT.saturating_sub(self.co_stake_max_percent.into()).saturating_mul(BPS / PERCENT);
        self.tier1_intervals > 0
            && self.grace_intervals > 0
            && self.tier_secs.iter().try_fold(first, |before, secs| (before < *secs).then_some(*secs)).is_some()
            && self.tier_bps.iter().try_fold(0, |before, bps| (before < *bps).then_some(*bps)).is_some()
            && self.tier_bps.first().is_some_and(|lowest| self.quit_bps <= *lowest)
            && self.tier_bps.last().is_some_and(|top| u64::from(*top) <= owners)
    }

    fn parts_are_parts(&self) -> bool {
        let parts = [self.reporter_bps, self.fault_bps, self.mint_limit_bps, self.redeem_limit_bps];
        parts.iter().all(|bps| u64::from(*bps) <= BPS)
            && self.renter_fee_bps.saturating_add(self.usdc_fee_bps) <= MAX_FEE_BPS
            && self.supplier_fee_bps.saturating_add(self.usdc_fee_bps) <= MAX_FEE_BPS
            && self.renter_share_bps <= MAX_RENTER_SHARE_BPS
            && self.promise_bps <= MAX_PROMISE_BPS
            && usize::from(self.promise_limit) <= PROMISES_KEPT.saturating_add(1)
            && self.dispute_bond_bps <= MAX_BOND_BPS
            && self.case_cap_bps <= MAX_CASE_BPS
            && u64::from(self.burn_share_bps) == BPS
            && self.spread_bps <= MAX_PRICE_BPS
            && self.conf_max_bps <= MAX_PRICE_BPS
            && self.co_stake_max_percent <= 50
    }

    fn limits_let_something_through(&self) -> bool {
        let limits = [
            self.stake_per_processor,
            self.mint_floor,
            self.redeem_floor,
            u64::from(self.mint_limit_bps),
            u64::from(self.redeem_limit_bps),
            u64::from(self.conf_max_bps),
            u64::from(self.promise_limit),
        ];
        limits.iter().all(|limit| *limit > 0)
    }

    /// Intervals that can be open at once must fit the ring: the one running, the grace, those in the window, and those
    /// that an open dispute keeps from maturing.
    pub fn check_ring(&self) -> Result<()> {
        let interval = self.interval_secs.max(1);
        let windows = [self.dispute_window_secs, self.defend_window_secs];
        let open = windows
            .iter()
            .map(|secs| u64::from(secs.div_ceil(interval)))
            .fold(u64::from(self.grace_intervals), u64::saturating_add)
            .saturating_add(2);
        require!(self.interval_secs > 0 && open <= RING as u64, IonetError::RingTooSmall);
        Ok(())
    }
}
