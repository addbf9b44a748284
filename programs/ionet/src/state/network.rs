use anchor_lang::prelude::*;

use super::{Params, CURRENCY_IO, CURRENCY_IOSD, CURRENCY_USDC};
use crate::error::IonetError;
use crate::math;

/// Entries that can be paused, one bit each; everything else is an exit.
pub const PAUSE_REGISTER_NODE: u64 = 1;
pub const PAUSE_OPEN_CLUSTER: u64 = 2;
pub const PAUSE_ADD_LEASE: u64 = 4;
pub const PAUSE_EXTEND_LEASE: u64 = 8;
pub const PAUSE_MINT_IOSD: u64 = 16;
pub const PAUSE_ALL: u64 = 31;

/// What `propose_role` can change.
pub const ROLE_AUTHORITY: u8 = 1;
pub const ROLE_PAUSER: u8 = 2;
pub const ROLE_ARBITER: u8 = 3;
pub const ROLE_FEED: u8 = 4;

/// Roles, mints and parameters. Read-only in every instruction but the admin ones.
#[account]
pub struct Network {
    /// Changes parameters and roles (after the timelock); a multisig in production.
    pub authority: Address,
    /// Named successor of the authority, or zero.
    pub pending_authority: Address,
    /// May set pause bits.
    pub pauser: Address,
    /// May open cases.
    pub arbiter: Address,
    pub io_mint: Address,
    pub iosd_mint: Address,
    pub usdc_mint: Address,
    /// Pyth feed of IO/USD.
    pub feed_id: [u8; 32],
    /// Number of events of this account so far.
    pub seq: u64,
    pub pause_bits: u64,
    /// When `pending` takes effect, unix seconds; 0 = nothing pending.
    pub pending_effective_at: i64,
    /// IO minted at genesis, base units.
    pub io_genesis: u64,
    /// IO emitted by epochs so far, base units.
    pub io_emitted: u64,
    pub params: Params,
    pub pending: Params,
    pub profile: u8,
    pub bump: u8,
    pub version: u8,
    /// Which role is to change (`ROLE_…`); 0 = none.
    pub pending_role: u8,
    pub reserved: [u8; 4],
    /// When the pending role may take effect, unix seconds.
    pub pending_role_at: i64,
    /// The new holder of a role, or the new feed; the successor of the authority stands in `pending_authority`.
    pub pending_value: [u8; 32],
    /// What cases took in the running window, base units of IO.
    pub case_window_start: i64,
    pub case_window_amount: u64,
}

impl Network {
    pub const SEED: &'static [u8] = b"network";
    /// Since version 2 the parameters have the limiters' floors and the caps of cases.
    pub const VERSION: u8 = 2;

    /// Whether the network keeps vaults of this mint.
    pub fn admits(&self, mint: &Address) -> bool {
        *mint == self.io_mint || *mint == self.iosd_mint || *mint == self.usdc_mint
    }

    /// The currency of a cluster that pays in this (admitted) mint.
    pub fn currency_of(&self, mint: &Address) -> u8 {
        if *mint == self.iosd_mint {
            CURRENCY_IOSD
        } else if *mint == self.usdc_mint {
            CURRENCY_USDC
        } else {
            CURRENCY_IO
        }
    }

    pub fn check_not_paused(&self, bit: u64) -> Result<()> {
        require!(self.pause_bits & bit == 0, IonetError::Paused);
        Ok(())
    }

    /// When a change that is proposed `now` takes effect.
    pub fn effective_at(&self, now: i64) -> Result<i64> {
        math::add_time(now, u64::from(self.params.timelock_secs))
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
