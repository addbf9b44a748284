//! What happened, in the past tense. Each event carries the `seq` of the entity it belongs to: a hole proves a loss.
//! Amounts are base units; times unix seconds.

use anchor_lang::prelude::*;

// --- network -------------------------------------------------------------------------------------------------------

#[event]
pub struct NetworkInitialized {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub authority: Address,
    pub pauser: Address,
    pub arbiter: Address,
    pub io_mint: Address,
    pub iosd_mint: Address,
    pub usdc_mint: Address,
    pub feed_id: [u8; 32],
    pub genesis_owner: Address,
    pub genesis_amount: u64,
    pub profile: u8,
}

#[event]
pub struct PauseChanged {
    pub network: Address,
    pub seq: u64,
    pub at: i64,
    pub before: u64,
    pub after: u64,
    pub by: Address,
}

#[event]
pub struct ModelRegistered {
    pub model: Address,
    pub seq: u64,
    pub at: i64,
    pub code: u16,
    pub name: [u8; 32],
    pub kind: u8,
    pub pool: u8,
    /// × 100
    pub multiplier: u32,
    pub throughput: u64,
}

// --- nodes ---------------------------------------------------------------------------------------------------------

#[event]
pub struct NodeRegistered {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub owner: Address,
    pub device_key: Address,
    pub model: u16,
    pub processors: u8,
    pub payout: Address,
    pub fee_payer: Address,
    pub price: u64,
    pub min_duration: u32,
    pub max_duration: u32,
    pub min_coverage_bps: u32,
    pub country: u16,
    pub region: u8,
    pub currencies: u8,
    pub terms_seq: u32,
}

#[event]
pub struct NodeUpdated {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub payout: Address,
    pub fee_payer: Address,
    pub price_before: u64,
    pub price: u64,
    pub min_duration: u32,
    pub max_duration: u32,
    pub min_coverage_bps: u32,
    pub country: u16,
    pub region: u8,
    pub currencies: u8,
    pub terms_seq: u32,
}

#[event]
pub struct DeviceKeyRotated {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub before: Address,
    pub after: Address,
}

/// The owner paused, resumed or retired the node, or a broken promise paused it.
#[event]
pub struct NodeFlagsChanged {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub before: u8,
    pub after: u8,
}

#[event]
pub struct NodeSlashed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub lease: Address,
    /// 1 = missed time, 2 = quit, 3 = broken promise.
    pub reason: u8,
    pub bps: u16,
    /// Seconds that this slash stands for.
    pub missed_secs: u64,
    pub amount: u64,
    pub from_bonded: u64,
    pub from_unbonding: u64,
    pub to_renter: u64,
    pub to_reporter: u64,
    pub burned: u64,
    pub reporter: Address,
    pub bonded_after: u64,
    pub unbonding_after: u64,
}

// --- stake ---------------------------------------------------------------------------------------------------------

#[event]
pub struct Staked {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    pub shares: u128,
    pub bonded_before: u64,
    pub bonded_after: u64,
    pub bonded_shares_after: u128,
    pub era: u32,
}

#[event]
pub struct UnbondRequested {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub ticket: u8,
    pub amount: u64,
    pub shares_burned: u128,
    pub ticket_shares: u128,
    pub ticket_era: u32,
    pub matures_at: i64,
    pub bonded_after: u64,
    pub unbonding_after: u64,
}

#[event]
pub struct StakeWithdrawn {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    /// Bit i = ticket i was paid.
    pub tickets: u8,
    pub unbonding_before: u64,
    pub unbonding_after: u64,
    pub position_closed: bool,
}

// --- clusters ------------------------------------------------------------------------------------------------------

#[event]
pub struct ClusterOpened {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub renter: Address,
    pub id: u64,
    pub kind: u8,
    pub currency: u8,
    pub mint: Address,
    pub deposit: u64,
    pub session_key: Address,
    pub session_expires_at: i64,
    pub config_hash: [u8; 32],
}

#[event]
pub struct BudgetWithdrawn {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub amount: u64,
    pub refunded_after: u64,
}

#[event]
pub struct SessionKeyChanged {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub before: Address,
    pub after: Address,
    pub expires_at: i64,
}

#[event]
pub struct ClusterClosed {
    pub cluster: Address,
    pub seq: u64,
    pub at: i64,
    pub renter: Address,
    pub id: u64,
    pub deposit: u64,
    pub paid: u64,
    pub fees: u64,
    pub fees_to_burn: u64,
    pub refunded: u64,
    /// The part of `refunded` that moved now.
    pub refund: u64,
    /// Tokens beyond the books that somebody had sent to the vault.
    pub surplus: u64,
}

// --- leases --------------------------------------------------------------------------------------------------------

/// `node_seq` and `cluster_seq` advance with the lease's.
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
    pub role: u8,
    pub processors: u8,
    pub price: u64,
    pub duration: u32,
    pub max_duration: u32,
    pub interval_secs: u32,
    pub ready_by: i64,
    pub required_stake: u64,
    pub io_price: u64,
    pub reserved_amount: u64,
    pub cluster_reserved_after: u64,
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
    pub cluster_reserved_after: u64,
}

#[event]
pub struct LeaseSettled {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub cluster: Address,
    pub cluster_seq: u64,
    pub payable_secs: u64,
    pub missed_secs: u64,
    pub paid_before: u64,
    pub paid: u64,
    pub supplier_amount: u64,
    pub supplier_fee: u64,
    pub renter_fee: u64,
    pub payout: Address,
    pub cluster_paid_after: u64,
    pub cluster_fees_after: u64,
    pub cluster_reserved_after: u64,
}

#[event]
pub struct LeaseEnded {
    pub lease: Address,
    pub seq: u64,
    pub at: i64,
    pub node: Address,
    pub node_seq: u64,
    pub cluster: Address,
    /// 1 expired, 2 renter, 3 supplier's fault, 4 quit.
    pub reason: u8,
    pub ends_at_before: i64,
    pub ends_at: i64,
    pub due_min_secs: u32,
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
    /// 5 not ready in time, 6 not accepted in time.
    pub reason: u8,
    pub fee: u64,
    pub released: u64,
    pub cluster_fees_after: u64,
    pub cluster_reserved_after: u64,
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
    pub served_secs: u64,
    pub missed_secs: u64,
    pub released: u64,
    pub cluster_reserved_after: u64,
}

// --- IOSD ----------------------------------------------------------------------------------------------------------

#[event]
pub struct IosdMinted {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub wallet: Address,
    pub io_burned: u64,
    pub iosd_minted: u64,
    /// Micro-dollars per IO that the burned IO was valued at.
    pub price: u64,
    pub publish_time: i64,
    pub minted_after: u64,
    pub io_burned_after: u64,
}

#[event]
pub struct TokensBurned {
    pub iosd: Address,
    pub seq: u64,
    pub at: i64,
    pub mint: Address,
    pub amount: u64,
    /// IOSD: fees burned so far; IO: burned so far for other reasons than minting.
    pub burned_after: u64,
}
