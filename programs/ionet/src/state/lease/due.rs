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
        if self.is_decided() && !self.is_suppliers_end() {
            burned = burned.saturating_add(u64::from(self.undefended_later()));
            if self.missed_secs == 0 {
                burned = burned.saturating_add(u64::from(self.undefended_early_secs));
                if self.undefended_secs == 0 {
                    paid = paid.saturating_add(u64::from(self.rest_secs));
                } else {
                    burned = burned.saturating_add(u64::from(self.rest_secs));
                }
            }
        }
        Due { paid_secs: paid, burned_secs: burned }
    }

    /// Of what nobody defended after the first hour, the seconds that are burned: as many as make the undefended time
    /// what must pass before it is the supplier's fault. So a renter who withholds challenges has nothing of it, and the
    /// chain burns no more of a renter's money where the supplier claims what they did not serve.
    fn undefended_later(&self) -> u32 {
        let later = self.undefended_secs.saturating_sub(self.undefended_early_secs);
        later.min(self.fault_after_secs.saturating_sub(self.undefended_early_secs))
    }

    /// Whether every interval has matured and no dispute is open: nothing can change who gets what.
    pub fn is_decided(&self) -> bool {
        let ended = self.status == LEASE_STATUS_ENDED;
        let matured = ended && self.ring_base >= self.intervals() && !self.is_disputed();
        matured || self.status == LEASE_STATUS_CANCELLED
    }

    /// Whether the supplier quit or was at fault.
    fn is_suppliers_end(&self) -> bool {
        self.end_reason == END_REASON_QUIT || self.end_reason == END_REASON_SUPPLIER_FAULT
    }
}
