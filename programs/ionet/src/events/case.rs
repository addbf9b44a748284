//! Arbiter cases; their `seq` is the node's.

use anchor_lang::prelude::*;

/// The node's stake is frozen until the case is decided.
#[event]
pub struct CaseOpened {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub case: Address,
    pub number: u64,
    pub arbiter: Address,
    /// 1 = false hardware, 2 = false proofs, 3 = theft of data, 4 = other.
    pub reason: u8,
    pub evidence_hash: [u8; 32],
    pub decide_from: i64,
    pub decide_by: i64,
    pub flags_before: u8,
    pub flags_after: u8,
}

#[event]
pub struct CaseAppealed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub case: Address,
    pub appeal_hash: [u8; 32],
    pub decide_from: i64,
}

/// Decided by the arbiter, or dismissed by anyone because time ran out; a slash is its own event.
#[event]
pub struct CaseDecided {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub case: Address,
    pub number: u64,
    pub by: Address,
    pub bps: u16,
    pub flags_before: u8,
    pub flags_after: u8,
}
