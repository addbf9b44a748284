use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::math;

/// Counts a wallet's clusters, so that their addresses never repeat. Never closed.
#[account]
pub struct Renter {
    pub wallet: Address,
    /// Also the number of clusters ever opened.
    pub next_cluster_id: u64,
    /// Clusters that are not closed yet.
    pub open_clusters: u64,
    /// Of this account's address.
    pub bump: u8,
    /// `Renter::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 22],
}

impl Renter {
    pub const SEED: &'static [u8] = b"renter";
    pub const VERSION: u8 = 1;

    /// Counts one more cluster, whose id must be the next one. The first creates the account.
    pub fn count_cluster(&mut self, wallet: Address, id: u64, bump: u8) -> Result<()> {
        require!(id == self.next_cluster_id, IonetError::WrongRenterAccount);
        *self = Self {
            wallet,
            next_cluster_id: math::add(id, 1)?,
            open_clusters: math::add(self.open_clusters, 1)?,
            bump,
            version: Self::VERSION,
            _padding: [0; 22],
        };
        Ok(())
    }
}
