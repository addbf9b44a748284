//! Disputes of a lease: seconds leave the ring for `held_secs` and are decided interval by interval, the latest first.

use anchor_lang::prelude::*;

use super::ring::TAKEN;
use super::Lease;
use crate::clock::Moment;
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
    pub fn hold(&mut self, from: u32, to: u32, at: &Moment) -> Result<u32> {
        require!(!self.is_disputed(), IonetError::DisputeOpen);
        self.fold(at)?;
        let proven = self.closed_intervals(at.now).min(self.ring_next);
        require!(from < to && from >= self.ring_base && to <= proven, IonetError::RangeNotDisputable);
        let (mut held, mut early) = (0u32, 0u32);
        for interval in from..to {
            let served = self.take_served(interval, TAKEN);
            require!(served != TAKEN, IonetError::RangeNotDisputable);
            held = held.checked_add(served).ok_or(IonetError::Overflow)?;
            early = early.saturating_add(self.early_of(interval, served));
            self.missed_secs = math::add(self.missed_secs, self.missed_of(interval, served))?;
        }
        require!(held > 0, IonetError::RangeNotDisputable);
        self.held_secs = held;
        self.held_early_secs = early;
        self.dispute_from = from;
        self.dispute_to = to;
        self.blocked_from = from;
        self.dispute_head = self.proof_head;
        Ok(held)
    }

    /// Whether an open dispute can no longer be defended.
    pub fn defence_is_over(&self, at: &Moment) -> bool {
        self.is_overdue(self.disputed_at, self.disputed_slot, self.defend_window_secs, at)
    }

    /// Counts an opened interval as served and gives the supplier their part of the bond. Later intervals that were
    /// passed over stay undefended.
    #[inline(never)]
    pub fn defend(&mut self, interval: u32, served_secs: u32) -> Result<u64> {
        require!(interval >= self.dispute_from && interval < self.dispute_to, IonetError::WrongEvidence);
        let served = served_secs.min(self.held_secs);
        let part = math::mul_div(u128::from(self.dispute_bond), u128::from(served), u128::from(self.held_secs.max(1)))?;
        let part = math::to_u64(part)?;
        self.dispute_bond = math::sub(self.dispute_bond, part)?;
        self.bond_due = math::add(self.bond_due, part)?;
        self.held_secs = self.held_secs.saturating_sub(served);
        self.held_early_secs = self.held_early_secs.saturating_sub(self.early_of(interval, served));
        self.matured_secs = math::add(self.matured_secs, u64::from(served))?;
        self.dispute_to = if self.held_secs == 0 { self.dispute_from } else { interval };
        Ok(part)
    }

    /// Ends a dispute: what nobody defended is never the supplier's, what is left of the bond goes back to the budget.
    /// For one interval more what comes after it does not mature, so that the renter can dispute the next range.
    #[inline(never)]
    pub fn resolve(
        &mut self,
        key: Address,
        cluster: &mut Cluster,
        cluster_key: Address,
        at: i64,
    ) -> Result<DisputeResolved> {
        let (undefended, returned) = (self.held_secs, self.dispute_bond);
        cluster.close_dispute(returned)?;
        self.undefended_secs = self.undefended_secs.checked_add(undefended).ok_or(IonetError::Overflow)?;
        self.undefended_early_secs = self.undefended_early_secs.saturating_add(self.held_early_secs);
        self.held_secs = 0;
        self.held_early_secs = 0;
        self.blocked_until = math::add_time(at, u64::from(self.interval_secs))?;
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
            undefended_secs: undefended,
            bond_returned: returned,
            bond_due: self.bond_due,
            cluster_locked_after: cluster.locked,
        })
    }

    /// How many of an interval's served seconds lie in the first hour, which is never refunded.
    fn early_of(&self, interval: u32, served: u32) -> u32 {
        self.early_secs().saturating_sub(interval.saturating_mul(self.interval_secs)).min(served)
    }
}
