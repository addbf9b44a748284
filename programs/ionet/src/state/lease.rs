use anchor_lang::prelude::*;

pub mod dispute;
pub mod ring;

use super::{Cluster, Node, Params, CURRENCY_USDC};
use crate::constants::{RING, TIERS};
use crate::error::IonetError;
use crate::math;

#[constant]
pub const LEASE_STATUS_BOOKED: u8 = 1;
#[constant]
pub const LEASE_STATUS_READY: u8 = 2;
#[constant]
pub const LEASE_STATUS_ACTIVE: u8 = 3;
#[constant]
pub const LEASE_STATUS_ENDED: u8 = 4;
#[constant]
pub const LEASE_STATUS_CANCELLED: u8 = 5;

#[constant]
pub const END_REASON_EXPIRED: u8 = 1;
#[constant]
pub const END_REASON_RENTER: u8 = 2;
#[constant]
pub const END_REASON_SUPPLIER_FAULT: u8 = 3;
#[constant]
pub const END_REASON_QUIT: u8 = 4;
#[constant]
pub const END_REASON_NOT_READY: u8 = 5;
#[constant]
pub const END_REASON_NOT_ACCEPTED: u8 = 6;
#[constant]
pub const END_REASON_UNCHALLENGED: u8 = 7;

#[constant]
pub const LEASE_ROLE_HEAD: u8 = 0;
#[constant]
pub const LEASE_ROLE_WORKER: u8 = 1;

/// One link of a lease's proof chain: how long an interval was served, and what came of it.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ProofEntry {
    pub interval: u32,
    pub served_secs: u32,
    /// GPU time as the device measured it, milliseconds.
    pub gpu_ms: u64,
    /// Merkle root of the interval's result hashes; leaf 0 answers the interval's challenge.
    pub root: [u8; 32],
}

/// What a booking agreed on.
pub struct Booking {
    pub node: Address,
    pub cluster: Address,
    /// Currency base units per processor-hour.
    pub price: u64,
    /// Micro-dollars per IO; 0 = none known.
    pub io_price: u64,
    /// IO that slashes are measured by.
    pub required_stake: u64,
    /// Seconds.
    pub duration: u32,
    /// One of `LEASE_ROLE_…`.
    pub role: u8,
    /// Of the lease's address.
    pub bump: u8,
    /// Unix seconds.
    pub now: i64,
    pub slot: u64,
}

/// One node leased by one cluster. Everything its payment or its slash depends on is a copy made at booking.
#[account]
pub struct Lease {
    /// The node that is leased.
    pub node: Address,
    /// The cluster it works for.
    pub cluster: Address,
    /// Hash chain over all proofs: `sha256(head ‖ interval u32 ‖ served u32 ‖ gpu_ms u64 ‖ root)`.
    pub proof_head: [u8; 32],
    /// Where the defence of an open dispute has walked back to in the proof chain.
    pub dispute_head: [u8; 32],
    /// Number of this lease among its node's; part of its address.
    pub number: u64,
    /// Currency base units per processor-hour.
    pub price: u64,
    /// IO that the tiers take parts of.
    pub required_stake: u64,
    /// Most IO that one report of missed time pays the reporter.
    pub reporter_cap: u64,
    /// Micro-dollars per IO when booked; 0 = none known, then nobody is compensated in IO.
    pub io_price: u64,
    /// Unix seconds.
    pub booked_at: i64,
    pub booked_slot: u64,
    /// Unix seconds; 0 = not ready yet.
    pub ready_at: i64,
    pub ready_slot: u64,
    /// Start of the meter, unix seconds; 0 = not active yet.
    pub started_at: i64,
    /// End of the meter, unix seconds; 0 = not active yet.
    pub ends_at: i64,
    /// When a proof last arrived (or the meter started), unix seconds.
    pub last_proof_at: i64,
    /// The slot in which a proof last arrived (or the meter started).
    pub last_proof_slot: u64,
    /// When the open dispute was opened, unix seconds; 0 = none is open.
    pub disputed_at: i64,
    /// The slot in which the open dispute was opened.
    pub disputed_slot: u64,
    /// Still set aside in the cluster for this lease.
    pub locked: u64,
    /// Earned by the supplier and paid so far, before fees.
    pub paid: u64,
    /// Kept of the supplier's pay so far.
    pub supplier_fee: u64,
    /// Taken from the renter on top of the price so far.
    pub renter_fee: u64,
    /// At stake in the open dispute: the supplier's if it is lost.
    pub dispute_bond: u64,
    /// Bonds of lost disputes that the supplier has yet to get; paid by the next settlement.
    pub bond_due: u64,
    /// Served seconds whose payment nobody can dispute any more.
    pub matured_secs: u64,
    /// Unserved seconds among the intervals already folded.
    pub missed_secs: u64,
    /// Missed seconds for which the renter was already compensated.
    pub compensated_secs: u64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Served seconds of the open intervals, at `interval % 16`; 0 = no proof.
    pub ring: [u32; RING],
    /// First interval that is not folded into `matured_secs` yet.
    pub ring_base: u32,
    /// First interval for which no proof was ever appended.
    pub ring_next: u32,
    /// Intervals before this one are paid without waiting for the dispute window.
    pub approved_through: u32,
    /// First interval of the open dispute.
    pub dispute_from: u32,
    /// First interval after the open dispute.
    pub dispute_to: u32,
    /// Served seconds in dispute: paid when defended, refunded when not.
    pub held_secs: u32,
    /// Served seconds that nobody defended: never paid.
    pub refunded_secs: u32,
    /// How many intervals before the end had no challenge, as the supplier said on leaving; they cannot be defended.
    pub unchallenged: u32,
    /// Proofs in the chain.
    pub proof_count: u32,
    /// Booked seconds.
    pub duration: u32,
    /// Longest that extensions may make it, seconds.
    pub max_duration: u32,
    /// Seconds that are paid at least, because the renter ended early and nothing was missed.
    pub due_min_secs: u32,
    /// From here to `promise_limit`: copies of the parameters of the same names, made at booking.
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
    pub quit_bps: u16,
    pub promise_bps: u16,
    /// With the addition for USDC, where that is the currency.
    pub renter_fee_bps: u16,
    /// With the addition for USDC, where that is the currency.
    pub supplier_fee_bps: u16,
    pub renter_share_bps: u16,
    pub reporter_bps: u16,
    pub dispute_bond_bps: u16,
    /// Charged so far for the outage that is going on.
    pub charged_bps: u16,
    /// Reached by earlier outages and not charged yet.
    pub pending_bps: u16,
    pub grace_intervals: u8,
    pub tier1_intervals: u8,
    pub promise_limit: u8,
    /// The node's processors, all of which are leased.
    pub processors: u8,
    /// One of `CURRENCY_…`.
    pub currency: u8,
    /// One of `LEASE_ROLE_…`.
    pub role: u8,
    /// One of `LEASE_STATUS_…`.
    pub status: u8,
    /// One of `END_REASON_…`; 0 = not ended.
    pub end_reason: u8,
    /// Of this account's address.
    pub bump: u8,
    /// `Lease::VERSION`.
    pub version: u8,
}

impl Lease {
    pub const SEED: &'static [u8] = b"lease";
    pub const VERSION: u8 = 1;

    /// A lease that was just booked, with its own copy of every parameter it depends on.
    #[inline(never)]
    pub fn new(booking: &Booking, node: &Node, cluster: &Cluster, params: &Params) -> Self {
        let extra_fee = if cluster.currency == CURRENCY_USDC { params.usdc_fee_bps } else { 0 };
        Self {
            node: booking.node,
            cluster: booking.cluster,
            proof_head: [0; 32],
            dispute_head: [0; 32],
            number: node.next_lease_number,
            price: booking.price,
            required_stake: booking.required_stake,
            reporter_cap: params.reporter_cap,
            io_price: booking.io_price,
            booked_at: booking.now,
            booked_slot: booking.slot,
            ready_at: 0,
            ready_slot: 0,
            started_at: 0,
            ends_at: 0,
            last_proof_at: 0,
            last_proof_slot: 0,
            disputed_at: 0,
            disputed_slot: 0,
            locked: 0,
            paid: 0,
            supplier_fee: 0,
            renter_fee: 0,
            dispute_bond: 0,
            bond_due: 0,
            matured_secs: 0,
            missed_secs: 0,
            compensated_secs: 0,
            seq: 0,
            ring: [0; RING],
            ring_base: 0,
            ring_next: 0,
            approved_through: 0,
            dispute_from: 0,
            dispute_to: 0,
            held_secs: 0,
            refunded_secs: 0,
            unchallenged: 0,
            proof_count: 0,
            duration: booking.duration,
            max_duration: node.max_duration,
            due_min_secs: 0,
            interval_secs: params.interval_secs,
            ready_deadline_secs: params.ready_deadline_secs,
            accept_deadline_secs: params.accept_deadline_secs,
            dispute_window_secs: params.dispute_window_secs,
            defend_window_secs: params.defend_window_secs,
            min_charge_secs: params.min_charge_secs,
            fault_after_secs: params.fault_after_secs,
            hold_fee_secs: params.hold_fee_secs,
            promise_window_secs: params.promise_window_secs,
            slot_ms: params.slot_ms,
            tier_secs: params.tier_secs,
            tier_bps: params.tier_bps,
            quit_bps: params.quit_bps,
            promise_bps: params.promise_bps,
            renter_fee_bps: params.renter_fee_bps.saturating_add(extra_fee),
            supplier_fee_bps: params.supplier_fee_bps.saturating_add(extra_fee),
            renter_share_bps: params.renter_share_bps,
            reporter_bps: params.reporter_bps,
            dispute_bond_bps: params.dispute_bond_bps,
            charged_bps: 0,
            pending_bps: 0,
            grace_intervals: params.grace_intervals,
            tier1_intervals: params.tier1_intervals,
            promise_limit: params.promise_limit,
            processors: node.processors,
            currency: cluster.currency,
            role: booking.role,
            status: LEASE_STATUS_BOOKED,
            end_reason: 0,
            bump: booking.bump,
            version: Self::VERSION,
        }
    }

    pub fn require_status(&self, status: u8) -> Result<()> {
        require!(self.status == status, IonetError::WrongLeaseState);
        Ok(())
    }

    /// Whether the meter has run: active, or ended after having been active.
    pub fn has_run(&self) -> bool {
        self.status == LEASE_STATUS_ACTIVE || self.status == LEASE_STATUS_ENDED
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
        self.status = LEASE_STATUS_ENDED;
        self.end_reason = reason;
        self.ends_at = self.ends_at.min(at).max(self.started_at);
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
