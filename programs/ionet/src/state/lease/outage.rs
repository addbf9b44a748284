//! Time that a supplier missed, and what it costs: the tier of the outage that is going on.
//!
//! An outage ends with a kept interval: one that was served for at least half of its length. What is not proven while
//! the chain recovers from a restart is nobody's fault.

use anchor_lang::prelude::*;

use super::ring::TAKEN;
use super::Lease;
use crate::clock::Moment;
use crate::constants::BPS;
use crate::error::IonetError;
use crate::math::{add, secs_between};

impl Lease {
    /// Whether `served` seconds make an interval a kept one.
    pub fn is_kept(&self, interval: u32, served: u32) -> bool {
        u64::from(served).saturating_mul(2) >= self.length(interval)
    }

    /// Notes that a kept interval was proven. What the outage before it had reached stays due: none of the intervals
    /// before this one can be proven any more, whatever their grace.
    pub fn keep(&mut self, interval: u32, at: &Moment) {
        if interval > self.kept_next {
            let closed = self.closed_intervals(at.now).max(interval);
            self.pending_bps = self.unpaid_bps(self.tier(self.outage_until(closed, at)));
            self.charged_bps = 0;
        }
        self.kept_next = self.kept_next.max(interval.saturating_add(1));
        self.last_kept_at = at.now;
        self.last_kept_slot = at.slot;
    }

    /// What the tiers have reached and nobody has charged yet, in basis points of the required stake.
    pub fn due_bps(&self, at: &Moment) -> u16 {
        self.unpaid_bps(self.outage_bps(at))
    }

    /// What is due when the outage that is going on has reached a tier.
    fn unpaid_bps(&self, reached: u16) -> u16 {
        self.pending_bps.saturating_add(reached.saturating_sub(self.charged_bps))
    }

    /// Length of the outage that is going on, in seconds without those that are excused; 0 while fewer than
    /// `tier1_intervals` closed intervals in a row lack a kept proof.
    pub fn outage_secs(&self, at: &Moment) -> u64 {
        self.outage_until(self.closed_intervals(at.now), at)
    }

    /// The same, of the intervals before `closed`.
    #[inline(never)]
    fn outage_until(&self, closed: u32, at: &Moment) -> u64 {
        let first = self.kept_next;
        let lost = closed.saturating_sub(first).saturating_sub(self.excused_intervals(first, closed));
        if lost < u32::from(self.tier1_intervals) {
            return 0;
        }
        let until = Moment { now: at.now.min(self.ends_at), ..*at };
        let secs = until.since(self.last_kept_at, self.last_kept_slot, self.slot_ms);
        secs.saturating_sub(secs_between(self.excused_from.max(self.last_kept_at), self.excused_to.min(until.now)))
    }

    /// Tier of the outage that is going on, in basis points.
    pub fn outage_bps(&self, at: &Moment) -> u16 {
        self.tier(self.outage_secs(at))
    }

    /// Tier of an outage of `secs`, in basis points.
    fn tier(&self, secs: u64) -> u16 {
        if secs == 0 || secs < u64::from(self.interval_secs).saturating_mul(u64::from(self.tier1_intervals)) {
            return 0;
        }
        let above = self.tier_secs.iter().filter(|bound| secs >= u64::from(**bound)).count();
        self.tier_bps.get(above).copied().unwrap_or(0)
    }

    /// Takes everything that is due as charged and returns it; `floor_bps` is charged for this outage at least.
    pub fn charge(&mut self, at: &Moment, floor_bps: u16) -> u16 {
        let reached = self.outage_bps(at).max(floor_bps);
        let due = self.pending_bps.saturating_add(reached.saturating_sub(self.charged_bps));
        self.charged_bps = self.charged_bps.max(reached);
        self.pending_bps = 0;
        self.taken_bps = self.taken_bps.saturating_add(due);
        due
    }

    /// On an end as the supplier's fault: what the outage has reached becomes due at once, and with everything this
    /// lease was charged before at least what quitting costs.
    pub fn owe_for_fault(&mut self, at: &Moment) {
        let reached = self.outage_bps(at);
        self.pending_bps = self.due_bps(at).max(self.quit_bps.saturating_sub(self.taken_bps));
        self.charged_bps = self.charged_bps.max(reached);
    }

    /// Whether `at` anyone may end the lease as the supplier's fault: the outage that is going on is too long.
    pub fn is_abandoned(&self, at: &Moment) -> bool {
        !self.is_recovering(at) && self.outage_secs(at) > u64::from(self.fault_after_secs)
    }

    /// Whether the renter may: missed and undefended time together exceed an hour and a part of the metered time.
    pub fn is_failing(&self, at: &Moment) -> bool {
        let metered = secs_between(self.started_at, at.now.min(self.ends_at));
        let part = metered.saturating_mul(u64::from(self.fault_bps)).checked_div(BPS).unwrap_or(0);
        let lost = self.unserved_secs(at.now).saturating_add(u64::from(self.undefended_secs));
        !self.is_recovering(at) && lost > u64::from(self.fault_after_secs).max(part)
    }

    /// Seconds of closed intervals that were not served, over the whole lease, but for those that are excused.
    #[inline(never)]
    pub fn unserved_secs(&self, now: i64) -> u64 {
        let closed = self.closed_intervals(now);
        let proven = closed.min(self.ring_next);
        let in_ring = (self.ring_base..proven)
            .map(|interval| self.missed_of(interval, self.served(interval)))
            .fold(0, u64::saturating_add);
        let after = self.missed_between(self.ring_next.max(self.ring_base), closed);
        self.missed_secs.saturating_add(in_ring).saturating_add(after)
    }

    /// Missed seconds for which the renter was not compensated yet.
    pub fn uncompensated_secs(&self, now: i64) -> u64 {
        self.unserved_secs(now).saturating_sub(self.compensated_secs)
    }

    /// Seconds of an interval that were missed: its length less those served; none of one that is excused.
    pub fn missed_of(&self, interval: u32, served: u32) -> u64 {
        if self.excused_intervals(interval, interval.saturating_add(1)) > 0 {
            return 0;
        }
        self.length(interval).saturating_sub(u64::from(served))
    }

    /// Seconds of the intervals `from..to`, none of which was proven, but for those that are excused.
    pub fn missed_between(&self, from: u32, to: u32) -> u64 {
        if to <= from {
            return 0;
        }
        let all = secs_between(self.interval_start(from), self.interval_end(to.saturating_sub(1)));
        let (first, end) = self.excused_range(from, to);
        if end <= first {
            return all;
        }
        all.saturating_sub(secs_between(self.interval_start(first), self.interval_end(end.saturating_sub(1))))
    }

    /// How many of the intervals `from..to` are excused.
    fn excused_intervals(&self, from: u32, to: u32) -> u32 {
        let (first, end) = self.excused_range(from, to);
        end.saturating_sub(first)
    }

    /// Those of the intervals `from..to` that overlap the time after a restart in which nothing is anybody's fault.
    fn excused_range(&self, from: u32, to: u32) -> (u32, u32) {
        if self.excused_to == 0 || to <= from {
            return (from, from);
        }
        let length = u64::from(self.interval_secs.max(1));
        let first = secs_between(self.started_at, self.excused_from).checked_div(length).unwrap_or(0);
        let end = secs_between(self.started_at, self.excused_to).div_ceil(length);
        let clamp = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).clamp(from, to);
        (clamp(first), clamp(end))
    }

    /// End of the last interval that was proven.
    pub fn proven_until(&self) -> i64 {
        self.interval_start(self.ring_next)
    }

    /// Whether the last `count` intervals were kept, have not matured, and nothing is due for missed time.
    pub fn is_serving(&self, count: u32, at: &Moment) -> bool {
        let first = self.ring_next.saturating_sub(count);
        let open = self.ring_next >= count && first >= self.ring_base.max(self.approved_through);
        let kept = (first..self.ring_next).all(|interval| {
            let served = self.served(interval);
            served > 0 && served != TAKEN && self.is_kept(interval, served)
        });
        open && kept && self.closed_intervals(at.now) <= self.ring_next && self.due_bps(at) == 0
    }

    /// Takes the last `count` intervals out of the ring: the renter pays them, the supplier does not get them.
    pub fn burn_last(&mut self, count: u32) -> Result<()> {
        for interval in self.ring_next.saturating_sub(count)..self.ring_next {
            let served = self.take_served(interval, TAKEN);
            self.burned_secs = self.burned_secs.checked_add(served).ok_or(IonetError::Overflow)?;
            self.missed_secs = add(self.missed_secs, self.missed_of(interval, served))?;
        }
        Ok(())
    }
}
