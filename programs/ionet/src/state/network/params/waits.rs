//! How long a change waits before it binds.

use super::Params;

impl Params {
    /// Seconds in which everybody with stake or IOSD can be out, whoever gave notice today.
    pub fn leave_secs(&self) -> u32 {
        self.timelock_secs.max(self.unbond_cooldown_secs.saturating_add(self.co_notice_secs))
    }

    /// Seconds that a proposal of `next` waits while these are in force: the timelock where it only concerns leases'
    /// deadlines, windows and fees; longer where it touches stake or redemption.
    pub fn wait_for(&self, next: &Self) -> u32 {
        let like_now = Self {
            ready_deadline_secs: self.ready_deadline_secs,
            accept_deadline_secs: self.accept_deadline_secs,
            reject_floor_secs: self.reject_floor_secs,
            dispute_window_secs: self.dispute_window_secs,
            defend_window_secs: self.defend_window_secs,
            min_charge_secs: self.min_charge_secs,
            timelock_secs: self.timelock_secs,
            idle_close_secs: self.idle_close_secs,
            renter_fee_bps: self.renter_fee_bps,
            supplier_fee_bps: self.supplier_fee_bps,
            usdc_fee_bps: self.usdc_fee_bps,
            dispute_bond_bps: self.dispute_bond_bps,
            ..*next
        };
        if bytemuck::bytes_of(&like_now) == bytemuck::bytes_of(self) {
            self.timelock_secs
        } else {
            self.leave_secs()
        }
    }
}
