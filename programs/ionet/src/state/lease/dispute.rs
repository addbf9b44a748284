//! Disputes of a lease: seconds leave the ring for `held_secs` and are decided interval by interval, the latest first.

use anchor_lang::prelude::*;

use super::ring::TAKEN;
use super::Lease;
use crate::error::IonetError;
use crate::events::DisputeResolved;
use crate::math;
use crate::state::Cluster;

impl Lease {
    pub fn is_disputed(&self) -> bool {
        self.dispute_to > self.dispute_from
    }

    /// Takes `from..to` out of the ring: proven, closed intervals that are neither folded nor were disputed before.
    /// Returns their served seconds.
    #[inline(never)]
    pub fn hold(&mut self, from: u32, to: u32, now: i64) -> Result<u32> {
        require!(!self.is_disputed(), IonetError::DisputeOpen);
        self.fold(now)?;
        let proven = self.closed_intervals(now).min(self.ring_next);
        require!(from < to && from >= self.ring_base && to <= proven, IonetError::RangeNotDisputable);
        let mut held = 0u32;
        for interval in from..to {
            let served = self.take_served(interval, TAKEN);
            require!(served != TAKEN, IonetError::RangeNotDisputable);
            held = held.checked_add(served).ok_or(IonetError::Overflow)?;
            let missed = self.length(interval).saturating_sub(u64::from(served));
            self.missed_secs = math::add(self.missed_secs, missed)?;
        }
        require!(held > 0, IonetError::RangeNotDisputable);
        self.held_secs = held;
        self.dispute_from = from;
        self.dispute_to = to;
        self.dispute_head = self.proof_head;
        Ok(held)
    }

    /// Seconds since the dispute was opened, by the measure of all deadlines.
    fn disputed_for(&self, now: i64, slot: u64) -> u64 {
        math::elapsed(self.disputed_at, self.disputed_slot, now, slot, self.slot_ms)
    }

    /// Whether an open dispute can no longer be defended.
    pub fn defence_is_over(&self, now: i64, slot: u64) -> bool {
        self.disputed_for(now, slot) >= u64::from(self.defend_window_secs)
    }

    /// Counts an opened interval as served and gives the supplier their part of the bond. Later intervals that were
    /// passed over stay undefended.
    #[inline(never)]
    pub fn defend(&mut self, interval: u32, served_secs: u32) -> Result<u64> {
        require!(interval >= self.dispute_from && interval < self.dispute_to, IonetError::WrongEvidence);
        let last_challenged = self.intervals().saturating_sub(self.unchallenged);
        require!(self.unchallenged == 0 || interval < last_challenged, IonetError::IntervalUnchallenged);
        let served = served_secs.min(self.held_secs);
        let part = math::mul_div(u128::from(self.dispute_bond), u128::from(served), u128::from(self.held_secs.max(1)))?;
        let part = math::to_u64(part)?;
        self.dispute_bond = math::sub(self.dispute_bond, part)?;
        self.bond_due = math::add(self.bond_due, part)?;
        self.held_secs = self.held_secs.saturating_sub(served);
        self.matured_secs = math::add(self.matured_secs, u64::from(served))?;
        self.dispute_to = if self.held_secs == 0 { self.dispute_from } else { interval };
        Ok(part)
    }

    /// Ends a dispute: what nobody defended is refunded, what is left of the bond goes back to the budget.
    #[inline(never)]
    pub fn resolve(
        &mut self,
        key: Address,
        cluster: &mut Cluster,
        cluster_key: Address,
        at: i64,
    ) -> Result<DisputeResolved> {
        let (refunded, returned) = (self.held_secs, self.dispute_bond);
        cluster.close_dispute(returned)?;
        self.refunded_secs = self.refunded_secs.checked_add(refunded).ok_or(IonetError::Overflow)?;
        self.held_secs = 0;
        self.dispute_bond = 0;
        self.dispute_from = 0;
        self.dispute_to = 0;
        Ok(DisputeResolved {
            lease: key,
            seq: self.next_seq()?,
            at,
            node: self.node,
            cluster: cluster_key,
            cluster_seq: cluster.next_seq()?,
            refunded_secs: refunded,
            bond_returned: returned,
            bond_due: self.bond_due,
            cluster_locked_after: cluster.locked,
        })
    }
}
