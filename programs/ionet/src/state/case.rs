use anchor_lang::prelude::*;

pub const CASE_FALSE_HARDWARE: u8 = 1;
pub const CASE_FALSE_PROOFS: u8 = 2;
pub const CASE_DATA_THEFT: u8 = 3;
pub const CASE_OTHER: u8 = 4;

/// An arbiter's accusation of a node. Its stake is frozen, not moved, until the case is decided; undecided, it ends in
/// the stakers' favour.
#[account]
pub struct Case {
    pub node: Address,
    /// Opened the case, paid its rent and gets it back.
    pub arbiter: Address,
    /// sha256 of the arbiter's evidence.
    pub evidence_hash: [u8; 32],
    /// sha256 of the owner's answer; zero = none yet.
    pub appeal_hash: [u8; 32],
    pub number: u64,
    pub opened_at: i64,
    /// From then on the arbiter may decide even though the owner has not answered, unix seconds.
    pub decide_from: i64,
    /// From then on nobody can decide against the stakers any more and anyone may dismiss the case.
    pub decide_by: i64,
    /// 1 = false hardware, 2 = false proofs, 3 = theft of data, 4 = other.
    pub reason: u8,
    pub bump: u8,
    pub version: u8,
    pub reserved: [u8; 29],
}

impl Case {
    pub const SEED: &'static [u8] = b"case";
    pub const VERSION: u8 = 1;
}
