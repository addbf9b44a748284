use anchor_lang::prelude::*;

use super::Params;
use crate::math;

#[constant]
pub const CASE_REASON_FALSE_HARDWARE: u8 = 1;
#[constant]
pub const CASE_REASON_FALSE_PROOFS: u8 = 2;
#[constant]
pub const CASE_REASON_DATA_THEFT: u8 = 3;
#[constant]
pub const CASE_REASON_OTHER: u8 = 4;

/// Who accuses whom of what.
pub struct Accusation {
    pub node: Address,
    pub arbiter: Address,
    /// One of `CASE_REASON_…`.
    pub reason: u8,
    pub evidence_hash: [u8; 32],
}

/// An arbiter's accusation of a node. Its stake is frozen, not moved, until the case is decided; undecided, it ends in
/// the stakers' favour.
#[account]
pub struct Case {
    /// The node accused.
    pub node: Address,
    /// Opened the case, paid its rent and gets it back.
    pub arbiter: Address,
    /// sha256 of the arbiter's evidence.
    pub evidence_hash: [u8; 32],
    /// sha256 of the owner's answer; zero = none yet.
    pub appeal_hash: [u8; 32],
    /// Number of this case among its node's; part of its address.
    pub number: u64,
    /// Unix seconds.
    pub opened_at: i64,
    /// From then on the arbiter may decide even though the owner has not answered, unix seconds.
    pub decide_from: i64,
    /// From then on nobody can decide against the stakers any more and anyone may dismiss the case.
    pub decide_by: i64,
    /// From here to `cap_bps`: copies of the parameters when the case was opened. IO that all cases can take in a window.
    pub network_cap: u64,
    /// How long the owner has to answer, and the arbiter to decide.
    pub appeal_secs: u32,
    /// Window in which the caps count.
    pub window_secs: u32,
    /// Part of the node's stake that cases can take in a window.
    pub cap_bps: u16,
    /// One of `CASE_REASON_…`.
    pub reason: u8,
    /// Of this account's address.
    pub bump: u8,
    /// `Case::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 19],
}

impl Case {
    pub const SEED: &'static [u8] = b"case";
    pub const VERSION: u8 = 1;

    /// An open case that the owner has `appeal_secs` to answer and the arbiter as long again to decide.
    pub fn new(accusation: &Accusation, number: u64, params: &Params, bump: u8, now: i64) -> Result<Self> {
        let appeal_secs = params.appeal_secs;
        let decide_from = math::add_time(now, u64::from(appeal_secs))?;
        Ok(Self {
            node: accusation.node,
            arbiter: accusation.arbiter,
            evidence_hash: accusation.evidence_hash,
            appeal_hash: [0; 32],
            number,
            opened_at: now,
            decide_from,
            decide_by: math::add_time(decide_from, u64::from(appeal_secs))?,
            network_cap: params.case_network_cap,
            appeal_secs,
            window_secs: params.case_window_secs,
            cap_bps: params.case_cap_bps,
            reason: accusation.reason,
            bump,
            version: Self::VERSION,
            _padding: [0; 19],
        })
    }
}
