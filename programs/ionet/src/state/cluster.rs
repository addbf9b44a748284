use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::math;

pub const CURRENCY_IOSD: u8 = 1;
pub const CURRENCY_USDC: u8 = 2;
pub const CURRENCY_IO: u8 = 4;

pub const CLUSTER_RAY: u8 = 0;
pub const CLUSTER_MEGA_RAY: u8 = 1;
pub const CLUSTER_KUBERNETES: u8 = 2;
pub const CLUSTER_CONTAINER: u8 = 3;

/// A renter's budget and the leases paid from it. At all times
/// `deposit = escrow (tracked) + paid + fees + refunded`, where `fees` wait in the vault until the cluster closes.
#[account]
pub struct Cluster {
    pub renter: Address,
    /// Who paid the deposit and gets the rest.
    pub payer: Address,
    pub mint: Address,
    /// May accept readiness, approve and dispute until it expires; zero = none.
    pub session_key: Address,
    /// sha256 of the configuration the renter wants (Ray version, image, …); opaque here.
    pub config_hash: [u8; 32],
    /// The lease whose node runs the head; zero until one is booked.
    pub head_lease: Address,
    pub id: u64,
    pub session_expires_at: i64,
    pub deposit: u64,
    /// Locked for open leases: their price and the renter's fee.
    pub reserved: u64,
    /// Sent to suppliers.
    pub paid: u64,
    /// Fees of both sides, still in the vault.
    pub fees: u64,
    pub refunded: u64,
    pub opened_at: i64,
    /// When the head's meter started, unix seconds; 0 = not yet.
    pub head_started_at: i64,
    /// Last booking or end of a lease; starts the idle clock.
    pub last_activity_at: i64,
    pub seq: u64,
    pub leases_booked: u32,
    pub leases_open: u32,
    pub currency: u8,
    pub kind: u8,
    pub bump: u8,
    pub escrow_bump: u8,
    pub version: u8,
    /// 1 = the session key changed while a dispute was open; it cannot change again before all are decided.
    pub key_changed_in_dispute: u8,
    pub reserved_bytes: [u8; 2],
    /// When the session key last changed, unix seconds; intervals that began earlier cannot be disputed.
    pub session_changed_at: i64,
    /// The session key before the last change: it signed the challenges of disputes that were open then.
    pub previous_session_key: Address,
    pub disputes_open: u32,
    pub reserved_tail: [u8; 4],
}

impl Cluster {
    pub const SEED: &'static [u8] = b"cluster";
    pub const ESCROW_SEED: &'static [u8] = b"escrow";
    pub const VERSION: u8 = 1;

    /// What the escrow holds for the renter and his leases.
    pub fn escrow(&self) -> Result<u64> {
        math::sub(math::sub(math::sub(self.deposit, self.paid)?, self.fees)?, self.refunded)
    }

    /// Budget that is not locked by a lease.
    #[inline(never)]
    pub fn free(&self) -> Result<u64> {
        math::sub(self.escrow()?, self.reserved)
    }

    pub fn reserve(&mut self, amount: u64) -> Result<()> {
        require!(self.free()? >= amount, IonetError::BudgetTooSmall);
        self.reserved = math::add(self.reserved, amount)?;
        Ok(())
    }

    pub fn release(&mut self, amount: u64) -> Result<()> {
        self.reserved = math::sub(self.reserved, amount)?;
        Ok(())
    }

    /// The renter, or a session key that has not expired.
    pub fn may_act(&self, signer: &Address, now: i64) -> bool {
        *signer == self.renter || (*signer == self.session_key && now < self.session_expires_at)
    }

    /// Replaces the session key. While disputes are open the old one is still needed to check their evidence, so one
    /// change is allowed then, a second is not.
    pub fn set_session_key(&mut self, key: Address, expires_at: i64, now: i64) -> Result<()> {
        require!(key == Address::default() || expires_at > now, IonetError::BadSessionKey);
        let disputed = self.disputes_open > 0;
        require!(!disputed || self.key_changed_in_dispute == 0, IonetError::DisputeOpen);
        self.key_changed_in_dispute = u8::from(disputed);
        self.previous_session_key = self.session_key;
        self.session_key = key;
        self.session_expires_at = expires_at;
        self.session_changed_at = now;
        Ok(())
    }

    /// The key that signed the challenges of intervals that were disputed at `disputed_at`.
    pub fn challenge_key(&self, disputed_at: i64) -> Address {
        if self.session_changed_at >= disputed_at {
            self.previous_session_key
        } else {
            self.session_key
        }
    }

    pub fn open_dispute(&mut self, bond: u64) -> Result<()> {
        self.reserve(bond)?;
        self.disputes_open = self.disputes_open.checked_add(1).ok_or(IonetError::Overflow)?;
        Ok(())
    }

    pub fn close_dispute(&mut self, bond_returned: u64) -> Result<()> {
        self.release(bond_returned)?;
        self.disputes_open = self.disputes_open.checked_sub(1).ok_or(IonetError::Overflow)?;
        if self.disputes_open == 0 {
            self.key_changed_in_dispute = 0;
        }
        Ok(())
    }

    /// Forgets the head when its lease is over: the next lease booked becomes the head.
    #[inline(never)]
    pub fn leave_head(&mut self, lease: &Address) {
        if self.head_lease == *lease {
            self.head_lease = Address::default();
            self.head_started_at = 0;
        }
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
