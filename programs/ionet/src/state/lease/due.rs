//! What a lease owes: to the supplier, and to nobody. Sums are cumulative; a payment is the difference to the last.

use super::{Lease, END_REASON_QUIT, END_REASON_SUPPLIER_FAULT, LEASE_STATUS_CANCELLED, LEASE_STATUS_ENDED};

/// Seconds that are owed now, all in all.
pub struct Due {
    /// Paid to the supplier, with fees on both sides.
    pub paid_secs: u64,
    /// Owed by the renter without a fee, and burned.
    pub burned_secs: u64,
}

impl Lease {
    /// Seconds at the start of the lease of which nothing is refunded: the minimum charge, or the whole of a shorter
    /// lease.
    pub fn early_secs(&self) -> u32 {
        self.min_charge_secs.min(self.duration)
    }

    /// Of the first hour nothing is refunded, unless the supplier left time unproven, quit or was at fault: what nobody
    /// defended is burned, and so is the rest that a renter did not stay for, unless nothing was undefended: then it is
    /// the supplier's. All this is known when the last interval has matured (a proof may still come after the end).
    pub fn due(&self) -> Due {
        let (mut paid, mut burned) =
            (self.matured_secs.saturating_add(u64::from(self.unanswered_secs)), u64::from(self.burned_secs));
        if self.is_decided() && self.is_faultless() {
            burned = burned.saturating_add(u64::from(self.undefended_early_secs));
            if self.undefended_secs == 0 {
                paid = paid.saturating_add(u64::from(self.rest_secs));
            } else {
                burned = burned.saturating_add(u64::from(self.rest_secs));
            }
        }
        Due { paid_secs: paid, burned_secs: burned }
    }

    /// Whether every interval has matured and no dispute is open: nothing can change who gets what.
    pub fn is_decided(&self) -> bool {
        let ended = self.status == LEASE_STATUS_ENDED;
        let matured = ended && self.ring_base >= self.intervals() && !self.is_disputed();
        matured || self.status == LEASE_STATUS_CANCELLED
    }

    fn is_faultless(&self) -> bool {
        self.missed_secs == 0 && self.end_reason != END_REASON_QUIT && self.end_reason != END_REASON_SUPPLIER_FAULT
    }
}
