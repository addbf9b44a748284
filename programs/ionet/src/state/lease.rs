use anchor_lang::prelude::*;
use bytemuck::Zeroable;

pub mod dispute;
pub mod due;
pub mod outage;
pub mod restart;
pub mod ring;

use super::{Cluster, Node, Params, CURRENCY_USDC};
use crate::clock::Moment;
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
pub const END_REASON_REJECTED: u8 = 8;

/// Not accepted yet: the lease accepted first becomes the head.
#[constant]
pub const LEASE_ROLE_OPEN: u8 = 0;
#[constant]
pub const LEASE_ROLE_HEAD: u8 = 1;
#[constant]
pub const LEASE_ROLE_WORKER: u8 = 2;

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
    /// Of the lease's address.
    pub bump: u8,
    /// When it is booked.
    pub at: Moment,
}

/// One node leased by one cluster. Everything its payment or its slash depends on is a copy made at booking.
///
/// Its times are those of a clock that stands still while the chain does: the first instruction after a restart moves
/// `started_at`, `ends_at` and `last_kept_at` (see `restart`).
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
    /// When the last kept interval was proven (or the meter started), unix seconds.
    pub last_kept_at: i64,
    /// The slot in which that was.
    pub last_kept_slot: u64,
    /// When clock and slots were last known to agree: at the start, at each proof, after each restart; unix seconds.
    pub synced_at: i64,
    /// The slot in which that was.
    pub synced_slot: u64,
    /// What is not proven from here to `excused_to` is nobody's fault: the chain had halted; unix seconds, 0 = never.
    pub excused_from: i64,
    /// End of that time, unix seconds.
    pub excused_to: i64,
    /// When the open dispute was opened, unix seconds; 0 = none is open.
    pub disputed_at: i64,
    /// The slot in which the open dispute was opened.
    pub disputed_slot: u64,
    /// After a dispute, until when `blocked_from` and what follows cannot mature, unix seconds.
    pub blocked_until: i64,
    /// Still set aside in the cluster for this lease.
    pub locked: u64,
    /// Earned by the supplier and paid so far, before fees.
    pub paid: u64,
    /// Kept of the supplier's pay so far.
    pub supplier_fee: u64,
    /// Taken from the renter on top of the price so far.
    pub renter_fee: u64,
    /// Price of time that the renter owes and nobody gets, so far; part of the cluster's fees.
    pub burned: u64,
    /// Of what the supplier was paid after fees, handed to the bonded pool so far.
    pub shared: u64,
    /// At stake in the open dispute: the supplier's if it is lost.
    pub dispute_bond: u64,
    /// Bonds of lost disputes that the supplier has yet to get; paid by the next settlement.
    pub bond_due: u64,
    /// Served seconds whose payment nobody can dispute any more.
    pub matured_secs: u64,
    /// Unserved seconds among the intervals already folded, but for those that are nobody's fault.
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
    /// First interval after the last kept one.
    pub kept_next: u32,
    /// Intervals before this one are paid without waiting for the dispute window.
    pub approved_through: u32,
    /// First interval of the open dispute.
    pub dispute_from: u32,
    /// First interval after the open dispute.
    pub dispute_to: u32,
    /// First interval that does not mature while a dispute is open, and one interval longer.
    pub blocked_from: u32,
    /// Served seconds in dispute: the supplier's when defended.
    pub held_secs: u32,
    /// Of these, the seconds of the first hour.
    pub held_early_secs: u32,
    /// Served seconds that nobody defended: never the supplier's.
    pub undefended_secs: u32,
    /// Of these, the seconds of the first hour.
    pub undefended_early_secs: u32,
    /// Seconds that the renter owes and the supplier does not get, whatever comes: a rejected readiness, or the
    /// intervals named on leaving.
    pub burned_secs: u32,
    /// Seconds that the node was ready and nobody answered: paid to the supplier.
    pub unanswered_secs: u32,
    /// Seconds of the first hour that were still to come when the renter ended the lease.
    pub rest_secs: u32,
    /// Seconds by which restarts of the chain have moved the lease's clock.
    pub moved_secs: u32,
    /// Laid out, unused: the interval with which a lease that was given notice ends.
    pub notice_interval: u32,
    /// Proofs in the chain.
    pub proof_count: u32,
    /// Booked seconds.
    pub duration: u32,
    /// Longest that extensions may make it, seconds.
    pub max_duration: u32,
    /// From here to `promise_limit`: copies of the parameters of the same names, made at booking.
    pub interval_secs: u32,
    pub ready_deadline_secs: u32,
    pub accept_deadline_secs: u32,
    pub reject_floor_secs: u32,
    pub dispute_window_secs: u32,
    pub defend_window_secs: u32,
    pub min_charge_secs: u32,
    pub fault_after_secs: u32,
    pub promise_window_secs: u32,
    pub recovery_secs: u32,
    pub slot_ms: u32,
    pub tier_secs: [u32; TIERS - 1],
    pub tier_bps: [u16; TIERS],
    pub fault_bps: u16,
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
    /// Reached by earlier outages, or owed on ending as the supplier's fault, and not charged yet.
    pub pending_bps: u16,
    /// Charged so far, all in all.
    pub taken_bps: u16,
    /// Part of the income that is handed to the bonded pool.
    pub income_share_bps: u16,
    /// Laid out, unused: part of the price at which it was booked as interruptible; 0 = it was not.
    pub interruptible_bps: u16,
    pub grace_intervals: u8,
    pub tier1_intervals: u8,
    pub promise_limit: u8,
    /// 1 = counted in `Node::unsettled`.
    pub unsettled: u8,
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
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 7],
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
            number: node.next_lease_number,
            price: booking.price,
            required_stake: booking.required_stake,
            reporter_cap: params.reporter_cap,
            io_price: booking.io_price,
            booked_at: booking.at.now,
            booked_slot: booking.at.slot,
            duration: booking.duration,
            max_duration: node.max_duration,
            interval_secs: params.interval_secs,
            ready_deadline_secs: params.ready_deadline_secs,
            accept_deadline_secs: params.accept_deadline_secs,
            reject_floor_secs: params.reject_floor_secs,
            dispute_window_secs: params.dispute_window_secs,
            defend_window_secs: params.defend_window_secs,
            min_charge_secs: params.min_charge_secs,
            fault_after_secs: params.fault_after_secs,
            promise_window_secs: params.promise_window_secs,
            recovery_secs: params.recovery_secs,
            slot_ms: params.slot_ms,
            tier_secs: params.tier_secs,
            tier_bps: params.tier_bps,
            fault_bps: params.fault_bps,
            quit_bps: params.quit_bps,
            promise_bps: params.promise_bps,
            renter_fee_bps: params.renter_fee_bps.saturating_add(extra_fee),
            supplier_fee_bps: params.supplier_fee_bps.saturating_add(extra_fee),
            renter_share_bps: params.renter_share_bps,
            reporter_bps: params.reporter_bps,
            dispute_bond_bps: params.dispute_bond_bps,
            income_share_bps: node.income_share_of(cluster.currency),
            grace_intervals: params.grace_intervals,
            tier1_intervals: params.tier1_intervals,
            promise_limit: params.promise_limit,
            processors: node.processors,
            currency: cluster.currency,
            role: LEASE_ROLE_OPEN,
            status: LEASE_STATUS_BOOKED,
            bump: booking.bump,
            version: Self::VERSION,
            ..Self::zeroed()
        }
    }

    /// Starts the meter.
    pub fn start(&mut self, role: u8, at: &Moment) -> Result<()> {
        self.status = LEASE_STATUS_ACTIVE;
        self.role = role;
        self.started_at = at.now;
        self.ends_at = math::add_time(at.now, u64::from(self.duration))?;
        self.last_kept_at = at.now;
        self.last_kept_slot = at.slot;
        self.synced_at = at.now;
        self.synced_slot = at.slot;
        self.excuse_start(at)
    }

    pub fn require_status(&self, status: u8) -> Result<()> {
        require!(self.status == status, IonetError::WrongLeaseState);
        Ok(())
    }

    /// Whether the meter has run: active, or ended after having been active.
    pub fn has_run(&self) -> bool {
        self.status == LEASE_STATUS_ACTIVE || self.status == LEASE_STATUS_ENDED
    }

    /// Whether anything can be owed for it: its meter has run, or it was ready and ended so.
    pub fn may_owe(&self) -> bool {
        self.has_run() || self.status == LEASE_STATUS_CANCELLED
    }

    /// Adds time to the end. An interval that its end cut short grows: it may not be a kept one any more. One that is
    /// folded was not cut short, and its place in the ring is no longer its own.
    pub fn extend(&mut self, extra_secs: u32) -> Result<()> {
        self.duration = self.duration.checked_add(extra_secs).ok_or(IonetError::Overflow)?;
        self.ends_at = math::add_time(self.ends_at, u64::from(extra_secs))?;
        if let Some(last) = self.kept_next.checked_sub(1) {
            if last >= self.ring_base && !self.is_kept(last, self.served(last)) {
                self.kept_next = last;
            }
        }
        Ok(())
    }

    /// Whether it is ready, and the time in which the renter had to answer is over: that time will be paid.
    pub fn is_unanswered(&self, at: &Moment) -> bool {
        self.status == LEASE_STATUS_READY
            && self.is_overdue(self.ready_at, self.ready_slot, self.accept_deadline_secs, at)
    }

    /// Price of `secs` and the renter's fee on it.
    #[inline(never)]
    pub fn cost(&self, secs: u64) -> Result<(u64, u64)> {
        let price = math::earned(self.price, self.processors, secs)?;
        Ok((price, math::bps_ceil(price, u64::from(self.renter_fee_bps))?))
    }

    /// When nothing about this lease can change any more but its closing.
    pub fn final_at(&self) -> Result<i64> {
        math::add_time(self.ends_at, self.maturity_delay())
    }

    /// Ends the meter. Nothing later than `at` can be proven; of the first hour, a renter who ends it owes the rest.
    pub fn end(&mut self, at: i64, reason: u8) {
        self.status = LEASE_STATUS_ENDED;
        self.end_reason = reason;
        self.ends_at = self.ends_at.min(at).max(self.started_at);
        if reason == END_REASON_RENTER {
            let run = u32::try_from(math::secs_between(self.started_at, self.ends_at)).unwrap_or(u32::MAX);
            self.rest_secs = self.early_secs().saturating_sub(run);
        }
    }

    /// Ends a lease whose meter never ran.
    pub fn cancel(&mut self, reason: u8) {
        self.status = LEASE_STATUS_CANCELLED;
        self.end_reason = reason;
    }

    /// Whether a deadline of `secs` since a moment has passed. None does while the chain recovers from a restart.
    pub fn is_overdue(&self, since: i64, since_slot: u64, secs: u32, at: &Moment) -> bool {
        at.since(since, since_slot, self.slot_ms) >= u64::from(secs) && !self.is_recovering(at)
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
