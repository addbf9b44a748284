use anchor_lang::prelude::*;

use super::{Params, CURRENCY_USDC};
use crate::constants::{RING, TIERS};
use crate::error::IonetError;
use crate::math;

pub const LEASE_BOOKED: u8 = 1;
pub const LEASE_READY: u8 = 2;
pub const LEASE_ACTIVE: u8 = 3;
pub const LEASE_ENDED: u8 = 4;
pub const LEASE_CANCELLED: u8 = 5;

pub const END_EXPIRED: u8 = 1;
pub const END_RENTER: u8 = 2;
pub const END_SUPPLIER_FAULT: u8 = 3;
pub const END_QUIT: u8 = 4;
pub const END_NOT_READY: u8 = 5;
pub const END_NOT_ACCEPTED: u8 = 6;
pub const END_UNCHALLENGED: u8 = 7;

pub const ROLE_HEAD: u8 = 0;
pub const ROLE_WORKER: u8 = 1;

/// One node leased by one cluster. Everything its payment or its slash depends on is a copy made at booking.
#[account]
pub struct Lease {
    pub node: Address,
    pub cluster: Address,
    /// Hash chain over all proofs: `sha256(head ‖ interval u32 ‖ served u32 ‖ gpu_ms u64 ‖ root)`.
    pub proof_head: [u8; 32],
    /// Where the defence of an open dispute has walked back to in the proof chain.
    pub dispute_head: [u8; 32],
    pub number: u64,
    /// Currency base units per processor-hour.
    pub price: u64,
    /// IO that the tiers take parts of.
    pub required_stake: u64,
    pub reporter_cap: u64,
    /// Micro-dollars per IO when booked; 0 = none known, then nobody is compensated in IO.
    pub io_price: u64,
    pub booked_at: i64,
    pub booked_slot: u64,
    pub ready_at: i64,
    pub ready_slot: u64,
    /// Start of the meter, unix seconds; 0 = not active yet.
    pub started_at: i64,
    pub ends_at: i64,
    /// When and in which slot a proof last arrived (or the meter started).
    pub last_proof_at: i64,
    pub last_proof_slot: u64,
    pub disputed_at: i64,
    /// Still locked in the cluster for this lease.
    pub reserved_amount: u64,
    /// Earned by the supplier and paid so far, before fees.
    pub paid: u64,
    pub supplier_fee: u64,
    pub renter_fee: u64,
    pub dispute_bond: u64,
    /// Served seconds whose payment nobody can dispute any more.
    pub matured_secs: u64,
    /// Unserved seconds among the intervals already folded.
    pub missed_secs: u64,
    /// Missed seconds for which the renter was already compensated.
    pub compensated_secs: u64,
    pub seq: u64,
    /// Served seconds of the open intervals, at `interval % 16`; 0 = no proof.
    pub ring: [u32; RING],
    /// First interval that is not folded into `matured_secs` yet.
    pub ring_base: u32,
    /// First interval for which no proof was ever appended.
    pub ring_next: u32,
    pub approved_through: u32,
    pub dispute_from: u32,
    pub dispute_to: u32,
    pub proof_count: u32,
    pub duration: u32,
    pub max_duration: u32,
    /// Seconds that are paid at least, because the renter ended early and nothing was missed.
    pub due_min_secs: u32,
    pub interval_secs: u32,
    pub ready_deadline_secs: u32,
    pub accept_deadline_secs: u32,
    pub dispute_window_secs: u32,
    pub defend_window_secs: u32,
    pub min_charge_secs: u32,
    pub fault_after_secs: u32,
    pub hold_fee_secs: u32,
    pub promise_window_secs: u32,
    pub slot_ms: u32,
    pub tier_secs: [u32; TIERS - 1],
    pub tier_bps: [u16; TIERS],
    /// Charged so far for the outage that is going on.
    pub charged_bps: u16,
    /// Reached by earlier outages and not charged yet.
    pub pending_bps: u16,
    pub quit_bps: u16,
    pub promise_bps: u16,
    pub renter_fee_bps: u16,
    pub supplier_fee_bps: u16,
    pub renter_share_bps: u16,
    pub reporter_bps: u16,
    pub dispute_bond_bps: u16,
    pub processors: u8,
    pub currency: u8,
    pub role: u8,
    pub status: u8,
    pub end_reason: u8,
    pub grace_intervals: u8,
    pub tier1_intervals: u8,
    pub promise_limit: u8,
    pub bump: u8,
    pub version: u8,
    /// Served seconds in dispute: paid when defended, refunded when not.
    pub held_secs: u32,
    /// Bonds that lost disputes owe to the supplier; paid by the next settlement.
    pub bond_due: u64,
    pub reserved: [u8; 4],
    /// Low half of the slot in which the dispute was opened.
    pub disputed_slot: u32,
    /// Served seconds that nobody defended: never paid.
    pub refunded_secs: u32,
    /// The last so many intervals before the end had no challenge, as the supplier said when he left; they cannot be
    /// defended.
    pub unchallenged: u32,
}

impl Lease {
    pub const SEED: &'static [u8] = b"lease";
    pub const VERSION: u8 = 1;

    #[inline(never)]
    pub fn copy_params(&mut self, params: &Params, currency: u8) {
        let extra_fee = if currency == CURRENCY_USDC { params.usdc_fee_bps } else { 0 };
        self.interval_secs = params.interval_secs;
        self.ready_deadline_secs = params.ready_deadline_secs;
        self.accept_deadline_secs = params.accept_deadline_secs;
        self.dispute_window_secs = params.dispute_window_secs;
        self.defend_window_secs = params.defend_window_secs;
        self.min_charge_secs = params.min_charge_secs;
        self.fault_after_secs = params.fault_after_secs;
        self.hold_fee_secs = params.hold_fee_secs;
        self.promise_window_secs = params.promise_window_secs;
        self.slot_ms = params.slot_ms;
        self.tier_secs = params.tier_secs;
        self.tier_bps = params.tier_bps;
        self.quit_bps = params.quit_bps;
        self.promise_bps = params.promise_bps;
        self.renter_fee_bps = params.renter_fee_bps.saturating_add(extra_fee);
        self.supplier_fee_bps = params.supplier_fee_bps.saturating_add(extra_fee);
        self.renter_share_bps = params.renter_share_bps;
        self.reporter_bps = params.reporter_bps;
        self.dispute_bond_bps = params.dispute_bond_bps;
        self.grace_intervals = params.grace_intervals;
        self.tier1_intervals = params.tier1_intervals;
        self.promise_limit = params.promise_limit;
        self.reporter_cap = params.reporter_cap;
    }

    pub fn require_status(&self, status: u8) -> Result<()> {
        require!(self.status == status, IonetError::WrongLeaseState);
        Ok(())
    }

    /// Whether the meter has run: active, or ended after having been active.
    pub fn has_run(&self) -> bool {
        self.status == LEASE_ACTIVE || self.status == LEASE_ENDED
    }

    /// Price of `secs` and the renter's fee on it.
    #[inline(never)]
    pub fn cost(&self, secs: u64) -> Result<(u64, u64)> {
        let price = math::earned(self.price, self.processors, secs)?;
        Ok((price, math::bps_ceil(price, u64::from(self.renter_fee_bps))?))
    }

    /// Seconds that are payable now: what matured, and after the last maturity the minimum charge if nothing was missed
    /// or disputed away (a proof of the interval that the end cut may still come after the end, so this is known only
    /// then).
    pub fn payable_secs(&self) -> u64 {
        let faultless = self.missed_secs == 0 && self.held_secs == 0 && self.refunded_secs == 0;
        if self.ring_base >= self.intervals() && faultless {
            self.matured_secs.max(u64::from(self.due_min_secs))
        } else {
            self.matured_secs
        }
    }

    /// What the tiers have reached and nobody has charged yet, in basis points of the required stake.
    pub fn due_bps(&self, now: i64, slot: u64, restart_slot: u64) -> u16 {
        let reached = self.outage_bps(now, slot, restart_slot);
        self.pending_bps.saturating_add(reached.saturating_sub(self.charged_bps))
    }

    /// Tier of the outage that is going on, in basis points. Zero while fewer than `tier1_intervals` closed intervals
    /// in a row lack a proof, or when the cluster restarted since the last one.
    #[inline(never)]
    pub fn outage_bps(&self, now: i64, slot: u64, restart_slot: u64) -> u16 {
        let missing = self.closed_intervals(now).saturating_sub(self.ring_next);
        if missing < u32::from(self.tier1_intervals) || restart_slot > self.last_proof_slot {
            return 0;
        }
        let until = now.min(self.ends_at);
        let secs = math::elapsed(self.last_proof_at, self.last_proof_slot, until, slot, self.slot_ms);
        if secs < u64::from(self.interval_secs).saturating_mul(u64::from(self.tier1_intervals)) {
            return 0;
        }
        let above = self.tier_secs.iter().filter(|bound| secs >= u64::from(**bound)).count();
        self.tier_bps.get(above).copied().unwrap_or(0)
    }

    /// After a gap, remembers what its outage reached; the next outage starts at zero.
    pub fn record_gap(&mut self, now: i64, slot: u64, restart_slot: u64) {
        self.pending_bps = self.due_bps(now, slot, restart_slot);
        self.charged_bps = 0;
    }

    /// Takes everything that is due as charged and returns it; `floor_bps` is charged for this outage at least.
    pub fn charge(&mut self, now: i64, slot: u64, restart_slot: u64, floor_bps: u16) -> u16 {
        let reached = self.outage_bps(now, slot, restart_slot).max(floor_bps);
        let due = self.pending_bps.saturating_add(reached.saturating_sub(self.charged_bps));
        self.charged_bps = self.charged_bps.max(reached);
        self.pending_bps = 0;
        due
    }

    /// When nothing about this lease can change any more but its closing.
    pub fn final_at(&self) -> Result<i64> {
        math::add_time(self.ends_at, self.maturity_delay())
    }

    /// Ends the meter. Nothing later than `at` can be proven.
    pub fn end(&mut self, at: i64, reason: u8) {
        self.status = LEASE_ENDED;
        self.end_reason = reason;
        self.ends_at = self.ends_at.min(at).max(self.started_at);
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
