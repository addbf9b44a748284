//! A lease from booking to closing. `node_seq` and `cluster_seq` advance with the lease's.

use anchor_lang::prelude::*;

#[event]
pub struct LeaseBooked {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub number: u64,
    pub processors: u8,
    pub price: u64,
    pub duration: u32,
    pub max_duration: u32,
    pub interval_secs: u32,
    pub ready_by: i64,
    pub required_stake: u64,
    pub io_price: u64,
    pub locked: u64,
    pub cluster_locked_after: u64,
}

#[event]
pub struct LeaseReady {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub report_hash: [u8; 32],
    pub accept_by: i64,
}

#[event]
pub struct LeaseStarted {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub accepted_by: Address,
    /// 1 = the cluster's head, 2 = a worker.
    pub role: u8,
    pub ends_at: i64,
}

#[event]
pub struct ProofAppended {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub interval: u32,
    pub served_before: u32,
    pub served_secs: u32,
    pub gpu_ms: u64,
    pub root: [u8; 32],
    pub proof_head: [u8; 32],
    pub proof_count: u32,
    /// Whether the interval counts as kept: served for at least half of its length.
    pub kept: bool,
    /// Seconds by which restarts of the chain have moved the lease's clock so far.
    pub moved_secs: u32,
    /// Basis points that gaps have left to charge.
    pub pending_bps: u16,
}

#[event]
pub struct LeaseExtended {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub node: Address,
    pub node_seq: u64,
    pub duration_before: u32,
    pub duration: u32,
    pub ends_at: i64,
    pub added_amount: u64,
    pub cluster_locked_after: u64,
}

#[event]
pub struct LeaseSettled {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub payable_secs: u64,
    pub missed_secs: u64,
    pub paid_before: u64,
    pub paid: u64,
    pub supplier_amount: u64,
    pub supplier_fee: u64,
    pub renter_fee: u64,
    /// Price of time that the renter owes and nobody gets; part of `cluster_fees_after`, and not a fee.
    pub burned: u64,
    pub payout: Address,
    pub cluster_paid_after: u64,
    pub cluster_fees_after: u64,
    pub cluster_locked_after: u64,
    /// Bonds of lost disputes, paid on top of `supplier_amount`.
    pub bond_paid: u64,
    /// Of `supplier_amount`, what went to co-stakers instead of the payout.
    pub to_stakers: u64,
    /// What was paid went to the payout wallet's owed account.
    pub owed: bool,
}

#[event]
pub struct LeaseEnded {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    /// 1 expired, 2 renter, 3 supplier's fault, 4 quit, 7 left unchallenged.
    pub reason: u8,
    pub ends_at_before: i64,
    pub ends_at: i64,
    /// Seconds of the first hour that the renter did not stay for.
    pub rest_secs: u32,
    /// Seconds that were named as unchallenged: the renter pays them, nobody gets them.
    pub burned_secs: u32,
    /// Basis points that the end makes due.
    pub pending_bps: u16,
    pub by: Address,
}

#[event]
pub struct LeaseCancelled {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    pub cluster_seq: u64,
    /// 5 not ready in time, 6 not accepted in time, 8 rejected.
    pub reason: u8,
    /// Who rejected it; zero = a deadline passed.
    pub by: Address,
    /// Seconds that the node was ready and nobody answered; the next settlement pays them.
    pub unanswered_secs: u32,
    /// Price of the time that a rejected node was ready: the renter pays it, nobody gets it.
    pub burned: u64,
    pub released: u64,
    pub cluster_fees_after: u64,
    pub cluster_locked_after: u64,
}

#[event]
pub struct LeaseClosed {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub paid: u64,
    pub supplier_fee: u64,
    pub renter_fee: u64,
    pub burned: u64,
    pub served_secs: u64,
    pub missed_secs: u64,
    pub undefended_secs: u32,
    pub released: u64,
    pub cluster_locked_after: u64,
}

/// Intervals before `through_interval` are paid without waiting for the dispute window.
#[event]
pub struct LeaseApproved {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub cluster: Address,
    pub through_interval: u32,
    pub proof_head: [u8; 32],
    pub by: Address,
}

/// Intervals `from_interval..to_interval` are held until defended, each on its own.
#[event]
pub struct LeaseDisputed {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub from_interval: u32,
    pub to_interval: u32,
    pub served_secs: u32,
    pub bond: u64,
    pub defend_by: i64,
    pub by: Address,
    pub cluster_locked_after: u64,
}

/// The proof chain was walked back; with `defended` the interval's challenge was opened and its time is payable.
#[event]
pub struct DisputeDefended {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub interval: u32,
    pub defended: bool,
    pub served_secs: u32,
    /// Part of the bond that the supplier won.
    pub bond_part: u64,
    /// Intervals from here on are no longer in dispute.
    pub dispute_to: u32,
    pub dispute_head: [u8; 32],
    pub by: Address,
}

/// Nothing is left in dispute: all was defended, or time ran out and the rest is not the supplier's.
#[event]
pub struct DisputeResolved {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub undefended_secs: u32,
    pub bond_returned: u64,
    /// What lost disputes owe to the supplier and the next settlement pays.
    pub bond_due: u64,
    pub cluster_locked_after: u64,
}
