use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::constants::{CURRENCIES, MAX_TICKETS};
use crate::error::IonetError;

/// Stake on its way out; a ticket without shares is free.
#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Ticket {
    /// When it may leave, unix seconds.
    pub matures_at: i64,
    /// The owner's: leases below this number must be over as well.
    pub lease_number: u64,
    /// The owner's: until when such a lease was booked at most, when the ticket was made; unix seconds, 0 = none ran.
    pub lease_over_by: i64,
    /// Shares of the node's unbonding pool.
    pub shares: PodU128,
    /// Era of the unbonding pool in which the shares were made.
    pub era: u32,
    pub _padding: [u8; 4],
}

/// One staker's stake to one node.
#[account]
pub struct StakePosition {
    pub node: Address,
    pub staker: Address,
    /// Shares of the node's bonded pool.
    pub shares: PodU128,
    /// Rewards per share already settled, in the node's accumulator.
    pub reward_debt: PodU128,
    /// Income per share already settled, in the node's accumulators; IOSD, USDC, IO.
    pub income_debt: [PodU128; CURRENCIES],
    /// Income that was settled and waits to be claimed.
    pub income: [u64; CURRENCIES],
    /// Stake on its way out.
    pub tickets: [Ticket; MAX_TICKETS],
    /// Rewards that were settled when the shares changed and wait to be claimed.
    pub rewards: u64,
    /// Era of the bonded pool in which the shares were made.
    pub era: u32,
    /// Of this account's address.
    pub bump: u8,
    /// `StakePosition::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 34],
}

impl StakePosition {
    pub const SEED: &'static [u8] = b"position";
    pub const VERSION: u8 = 1;

    /// Shares that still count in `era`.
    pub fn shares_in(&self, era: u32) -> u128 {
        if self.era == era {
            self.shares.get()
        } else {
            0
        }
    }

    /// The place of a free ticket.
    #[inline(never)]
    pub fn free_ticket(&self) -> Result<usize> {
        self.tickets.iter().position(|ticket| ticket.shares.get() == 0).ok_or_else(|| IonetError::TooManyTickets.into())
    }

    /// Whether nothing is left in it: no stake, no ticket, no reward, no income.
    pub fn is_empty(&self, bonded_era: u32) -> bool {
        self.shares_in(bonded_era) == 0
            && self.rewards == 0
            && self.income == [0; CURRENCIES]
            && self.tickets.iter().all(|ticket| ticket.shares.get() == 0)
    }
}
