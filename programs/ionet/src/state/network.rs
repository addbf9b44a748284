use anchor_lang::prelude::*;
use bytemuck::Zeroable;

pub mod device_model;
pub mod params;

use super::{Params, CURRENCY_IO, CURRENCY_IOSD, CURRENCY_USDC};
use crate::constants::IO_GENESIS;
use crate::error::IonetError;
use crate::math;

/// Entries that can be paused, one bit each; everything else is an exit.
#[constant]
pub const PAUSE_REGISTER_NODE: u64 = 1;
#[constant]
pub const PAUSE_OPEN_CLUSTER: u64 = 2;
#[constant]
pub const PAUSE_ADD_LEASE: u64 = 4;
#[constant]
pub const PAUSE_EXTEND_LEASE: u64 = 8;
#[constant]
pub const PAUSE_MINT_IOSD: u64 = 16;
#[constant]
pub const PAUSE_ALL: u64 = 31;

/// What `propose_role` can change.
#[constant]
pub const NETWORK_ROLE_AUTHORITY: u8 = 1;
#[constant]
pub const NETWORK_ROLE_PAUSER: u8 = 2;
#[constant]
pub const NETWORK_ROLE_ARBITER: u8 = 3;
#[constant]
pub const NETWORK_ROLE_FEED: u8 = 4;

/// What a network starts with.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct InitNetworkArgs {
    /// One of `PROFILE_…`; chooses the parameters.
    pub profile: u8,
    /// May set pause bits; zero = nobody but the authority.
    pub pauser: Address,
    /// May open cases; zero = nobody.
    pub arbiter: Address,
    /// Pyth feed of IO/USD.
    pub feed_id: [u8; 32],
}

/// The network's mints.
pub struct Mints {
    pub io: Address,
    pub iosd: Address,
    pub usdc: Address,
}

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
    /// Program's address that may mint rewards; zero = none yet.
    pub rewards: Address,
    pub io_mint: Address,
    pub iosd_mint: Address,
    pub usdc_mint: Address,
    /// Pyth feed of IO/USD.
    pub feed_id: [u8; 32],
    /// The new holder of a role, or the new feed; a named successor of the authority is in `pending_authority`.
    pub pending_value: [u8; 32],
    /// Number of events of this account so far.
    pub seq: u64,
    /// Set of `PAUSE_…`.
    pub pause_bits: u64,
    /// When `pending` takes effect, unix seconds; 0 = nothing pending.
    pub pending_effective_at: i64,
    /// When the pending role may take effect, unix seconds.
    pub pending_role_at: i64,
    /// IO minted at genesis, base units.
    pub io_genesis: u64,
    /// IO emitted by epochs so far, base units.
    pub io_emitted: u64,
    /// Start of the window in which the caps of all cases count, unix seconds.
    pub case_window_start: i64,
    /// What cases took in that window, base units of IO.
    pub case_window_amount: u64,
    /// In force.
    pub params: Params,
    /// Proposed; see `pending_effective_at`.
    pub pending: Params,
    /// How many authorities there were before; what an earlier one proposed for a device model binds no more.
    pub authority_number: u32,
    /// Which role is to change (`NETWORK_ROLE_…`); 0 = none.
    pub pending_role: u8,
    /// One of `PROFILE_…`.
    pub profile: u8,
    /// Of this account's address.
    pub bump: u8,
    /// `Network::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 64],
}

impl Network {
    pub const SEED: &'static [u8] = b"network";
    /// Fee vault of a mint.
    pub const FEES_SEED: &'static [u8] = b"fees";
    /// Burn vault of a mint.
    pub const BURN_SEED: &'static [u8] = b"burn";
    pub const VERSION: u8 = 1;

    /// A network with the parameters of its profile.
    pub fn new(authority: Address, mints: &Mints, args: &InitNetworkArgs, bump: u8) -> Result<Self> {
        Ok(Self {
            authority,
            pending_authority: Address::default(),
            pauser: args.pauser,
            arbiter: args.arbiter,
            rewards: Address::default(),
            io_mint: mints.io,
            iosd_mint: mints.iosd,
            usdc_mint: mints.usdc,
            feed_id: args.feed_id,
            pending_value: [0; 32],
            seq: 1,
            pause_bits: 0,
            pending_effective_at: 0,
            pending_role_at: 0,
            io_genesis: IO_GENESIS,
            io_emitted: 0,
            case_window_start: 0,
            case_window_amount: 0,
            params: Params::of_profile(args.profile)?,
            pending: Params::zeroed(),
            authority_number: 0,
            pending_role: 0,
            profile: args.profile,
            bump,
            version: Self::VERSION,
            _padding: [0; 64],
        })
    }

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

    /// When a new holder of `role` who is proposed `now` may take it: the feed touches redemption.
    pub fn role_effective_at(&self, role: u8, now: i64) -> Result<i64> {
        let params = &self.params;
        let wait = if role == NETWORK_ROLE_FEED { params.leave_secs() } else { params.timelock_secs };
        math::add_time(now, u64::from(wait))
    }

    /// Hands the network over: whatever the authority before it had proposed is forgotten.
    pub fn hand_over(&mut self) -> Result<()> {
        self.authority = self.pending_authority;
        self.pending_authority = Address::default();
        self.pending_value = [0; 32];
        self.pending_role = 0;
        self.pending_role_at = 0;
        self.pending = Params::zeroed();
        self.pending_effective_at = 0;
        self.authority_number = self.authority_number.checked_add(1).ok_or(IonetError::Overflow)?;
        Ok(())
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
