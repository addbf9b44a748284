use anchor_lang::prelude::*;

/// Counts a wallet's clusters, so that their addresses never repeat. Never closed.
#[account]
pub struct Renter {
    pub wallet: Address,
    pub next_cluster_id: u64,
    pub open_clusters: u64,
    pub bump: u8,
    pub version: u8,
    pub reserved: [u8; 30],
}

impl Renter {
    pub const SEED: &'static [u8] = b"renter";
    pub const VERSION: u8 = 1;
}
