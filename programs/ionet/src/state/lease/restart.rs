//! A lease's clock stands still while the chain does.
//!
//! The clock of a chain that halted jumps when it restarts, and nobody could act in between. So the first instruction
//! that touches a lease after a restart moves its times by what the clock ran beyond the slots since the last proof:
//! intervals, windows, ring and the renter's hours move with them. For some hours more (counted in slots) the chain is
//! recovering: no deadline runs out, no tier is charged, and what is not proven is nobody's fault.

use anchor_lang::prelude::*;

use super::Lease;
use crate::clock::Moment;
use crate::math;

impl Lease {
    /// Whether the chain restarted too recently for anybody to be held to a deadline.
    pub fn is_recovering(&self, at: &Moment) -> bool {
        at.recovery_left(self.recovery_secs, self.slot_ms) > 0
    }

    /// Moves the lease's clock past a halt that it has not seen yet.
    #[inline(never)]
    pub fn catch_up(&mut self, at: &Moment) -> Result<()> {
        // The restart's slot is the last one before the halt: what came in it came before.
        if self.started_at == 0 || at.restart_slot < self.synced_slot {
            return Ok(());
        }
        let ran = math::secs_between(self.synced_at, at.now);
        let halted = ran.saturating_sub(math::slots_secs(self.synced_slot, at.slot, self.slot_ms));
        let slots = at.slot.saturating_sub(self.synced_slot);
        let before = math::mul_div_ceil(
            ran.saturating_sub(halted).into(),
            at.restart_slot.min(at.slot).saturating_sub(self.synced_slot).into(),
            slots.max(1).into(),
        )?;
        self.moved_secs = self.moved_secs.saturating_add(u32::try_from(halted).unwrap_or(u32::MAX));
        for time in [&mut self.started_at, &mut self.ends_at, &mut self.last_kept_at] {
            *time = math::add_time(*time, halted)?;
        }
        for time in [&mut self.excused_from, &mut self.excused_to, &mut self.blocked_until] {
            *time = if *time == 0 { 0 } else { math::add_time(*time, halted)? };
        }
        let synced = math::add_time(self.synced_at, halted)?;
        self.synced_at = at.now;
        self.synced_slot = at.slot;
        // What could still be proven when the chain halted, and what came after; older silence stays what it was.
        let restarted = math::add_time(synced, math::to_u64(before)?)?;
        let grace = i64::try_from(self.grace_secs()).unwrap_or(i64::MAX);
        let from = synced.max(restarted.saturating_sub(grace));
        self.excuse(from, math::add_time(restarted, self.recovery_secs.into())?, at)
    }

    /// What is not proven from `from` to `until`, when the chain has recovered, is nobody's fault. An earlier such time
    /// is kept while its intervals are open; else they are counted first, and of a silence that began before it, it
    /// stays taken out.
    fn excuse(&mut self, from: i64, until: i64, at: &Moment) -> Result<()> {
        if until <= from {
            return Ok(());
        }
        let before = math::secs_between(self.started_at, from).checked_div(self.interval_secs.into()).unwrap_or(0);
        self.fold_until(self.mature_intervals(at).min(u32::try_from(before).unwrap_or(u32::MAX)))?;
        if self.excused_to > self.interval_start(self.ring_base) {
            self.excused_from = self.excused_from.min(from);
            self.excused_to = self.excused_to.max(until);
            return Ok(());
        }
        let silent = math::secs_between(self.excused_from.max(self.last_kept_at), self.excused_to);
        self.last_kept_at = math::add_time(self.last_kept_at, silent)?;
        self.excused_from = from;
        self.excused_to = until;
        Ok(())
    }

    /// A meter that starts while the chain recovers.
    pub fn excuse_start(&mut self, at: &Moment) -> Result<()> {
        let left = at.recovery_left(self.recovery_secs, self.slot_ms);
        self.excuse(at.now, math::add_time(at.now, left)?, at)
    }
}
