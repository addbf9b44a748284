//! Time of a lease, cut into intervals. The ring holds the open ones; older ones are folded into totals.

use anchor_lang::prelude::*;

use super::Lease;
use crate::clock::Moment;
use crate::constants::RING;
use crate::error::IonetError;
use crate::math::{add, add_time, secs_between};

/// In the ring, an interval whose seconds a dispute has taken out of it.
#[constant]
pub const TAKEN: u32 = u32::MAX;

impl Lease {
    /// Number of intervals until `ends_at`; the last may be shorter.
    #[inline]
    pub fn intervals(&self) -> u32 {
        let secs = secs_between(self.started_at, self.ends_at);
        u32::try_from(secs.div_ceil(u64::from(self.interval_secs.max(1)))).unwrap_or(u32::MAX)
    }

    #[inline]
    pub fn interval_start(&self, interval: u32) -> i64 {
        let offset = u64::from(interval).saturating_mul(u64::from(self.interval_secs));
        add_time(self.started_at, offset).unwrap_or(i64::MAX)
    }

    #[inline]
    pub fn interval_end(&self, interval: u32) -> i64 {
        self.interval_start(interval.saturating_add(1)).min(self.ends_at)
    }

    /// Seconds after an interval's end in which its proof is still accepted.
    #[inline]
    pub fn grace_secs(&self) -> u64 {
        u64::from(self.grace_intervals).saturating_mul(u64::from(self.interval_secs))
    }

    /// Seconds from an interval's end until its payment cannot be disputed any more.
    pub fn maturity_delay(&self) -> u64 {
        self.grace_secs().saturating_add(u64::from(self.dispute_window_secs))
    }

    /// How many intervals ended at least `delay` ago (the `delay` itself is enough: bounds are half-open).
    fn intervals_older_than(&self, delay: u64, now: i64) -> u32 {
        let reference = now.saturating_sub(i64::try_from(delay).unwrap_or(i64::MAX));
        if self.started_at == 0 || reference < self.started_at {
            return 0;
        }
        if reference >= self.ends_at {
            return self.intervals();
        }
        let whole = secs_between(self.started_at, reference).checked_div(u64::from(self.interval_secs));
        whole.and_then(|count| u32::try_from(count).ok()).unwrap_or(u32::MAX)
    }

    /// Intervals that can no longer be proven.
    #[inline(never)]
    pub fn closed_intervals(&self, now: i64) -> u32 {
        self.intervals_older_than(self.grace_secs(), now)
    }

    /// How many intervals can no longer be disputed, from the first one on. While a dispute is open, one interval longer,
    /// and while the chain recovers from a restart nothing in question matures, though no interval more than a defence
    /// and one interval late: so a renter can dispute one range after another, and the ring still holds what is open.
    #[inline(never)]
    pub fn mature_intervals(&self, at: &Moment) -> u32 {
        let delay = self.maturity_delay();
        let in_time = self.intervals_older_than(delay, at.now);
        let held = if self.is_recovering(at) {
            0
        } else if self.is_disputed() || at.now < self.blocked_until {
            self.blocked_from
        } else {
            u32::MAX
        };
        if held >= in_time {
            return in_time.max(self.approved_through);
        }
        let longest = delay.saturating_add(self.defend_window_secs.into()).saturating_add(self.interval_secs.into());
        held.max(self.intervals_older_than(longest, at.now)).max(self.approved_through)
    }

    /// Folds every interval whose payment cannot be disputed any more into the totals.
    #[inline(never)]
    pub fn fold(&mut self, at: &Moment) -> Result<()> {
        self.fold_until(self.mature_intervals(at))
    }

    /// Folds every interval before `mature`.
    pub fn fold_until(&mut self, mature: u32) -> Result<()> {
        while self.ring_base < mature && self.ring_base < self.ring_next {
            let base = self.ring_base;
            let served = self.take_served(base, 0);
            if served != TAKEN {
                self.matured_secs = add(self.matured_secs, u64::from(served))?;
                self.missed_secs = add(self.missed_secs, self.missed_of(base, served))?;
            }
            self.ring_base = base.saturating_add(1);
        }
        if self.ring_base < mature {
            // No proof came for any of the rest.
            self.missed_secs = add(self.missed_secs, self.missed_between(self.ring_base, mature))?;
            self.ring_base = mature;
        }
        Ok(())
    }

    /// Seconds of one interval; the last may be shorter.
    #[inline]
    pub fn length(&self, interval: u32) -> u64 {
        secs_between(self.interval_start(interval), self.interval_end(interval))
    }

    /// Takes an open interval's served seconds out of the ring and leaves `mark` there.
    #[inline]
    pub fn take_served(&mut self, interval: u32, mark: u32) -> u32 {
        let entry = self.ring.get_mut(interval as usize % RING);
        entry.map_or(0, |entry| core::mem::replace(entry, mark))
    }

    /// Served seconds of an open interval; 0 = no proof.
    #[inline]
    pub fn served(&self, interval: u32) -> u32 {
        self.ring.get(interval as usize % RING).copied().unwrap_or(0)
    }

    /// Writes one proof into the ring; intervals between the last proof and this one were skipped for good. Returns
    /// whether it makes the interval a kept one.
    pub fn write_proof(&mut self, interval: u32, served_secs: u32, at: &Moment) -> Result<bool> {
        let now = at.now;
        require!(served_secs > 0, IonetError::ZeroAmount);
        require!(interval < self.intervals(), IonetError::LeaseOver);
        let start = self.interval_start(interval);
        let end = self.interval_end(interval);
        require!(now >= start && now < add_time(end, self.grace_secs())?, IonetError::IntervalNotOpen);
        require!(u64::from(served_secs) <= secs_between(start, now.min(end)), IonetError::ServedTooLong);
        self.fold(at)?;
        if interval >= self.ring_next {
            let open = interval.saturating_sub(self.ring_base) as usize;
            require!(open < RING, IonetError::RingTooSmall);
            self.ring_next = interval.saturating_add(1);
        } else {
            let before = self.served(interval);
            require!(interval >= self.ring_base && before > 0, IonetError::ProofOutOfOrder);
            require!(served_secs >= before, IonetError::ProofLowered);
        }
        if let Some(entry) = self.ring.get_mut(interval as usize % RING) {
            *entry = served_secs;
        }
        let kept = self.is_kept(interval, served_secs);
        if kept {
            self.keep(interval, at);
        }
        self.synced_at = at.now;
        self.synced_slot = at.slot;
        Ok(kept)
    }
}
