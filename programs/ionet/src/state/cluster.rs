use anchor_lang::prelude::*;

pub mod renter;

use super::{LEASE_ROLE_HEAD, LEASE_ROLE_WORKER};
use crate::error::IonetError;
use crate::math;

#[constant]
pub const CURRENCY_IOSD: u8 = 1;
#[constant]
pub const CURRENCY_USDC: u8 = 2;
#[constant]
pub const CURRENCY_IO: u8 = 4;

#[constant]
pub const CLUSTER_KIND_RAY: u8 = 0;
#[constant]
pub const CLUSTER_KIND_MEGA_RAY: u8 = 1;
#[constant]
pub const CLUSTER_KIND_KUBERNETES: u8 = 2;
#[constant]
pub const CLUSTER_KIND_CONTAINER: u8 = 3;

/// What a renter asks for.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct OpenClusterArgs {
    /// One of `CLUSTER_KIND_…`.
    pub kind: u8,
    /// Base units of the currency.
    pub deposit: u64,
    /// May accept or reject readiness, approve and dispute; zero = none.
    pub session_key: Address,
    /// When the session key expires, unix seconds.
    pub session_expires_at: i64,
    /// sha256 of the configuration the renter wants.
    pub config_hash: [u8; 32],
}

impl OpenClusterArgs {
    pub fn validate(&self, now: i64) -> Result<()> {
        require!(self.deposit > 0, IonetError::ZeroAmount);
        require!(self.kind <= CLUSTER_KIND_CONTAINER, IonetError::UnknownClusterKind);
        check_session_key(&self.session_key, self.session_expires_at, now)
    }
}

/// Who pays for a cluster, and in what.
pub struct Purse {
    pub renter: Address,
    pub mint: Address,
    /// One of `CURRENCY_…`.
    pub currency: u8,
}

/// A session key has to expire in the future; the zero key means none.
fn check_session_key(key: &Address, expires_at: i64, now: i64) -> Result<()> {
    require!(*key == Address::default() || expires_at > now, IonetError::BadSessionKey);
    Ok(())
}

/// A renter's budget and the leases paid from it. At all times
/// `deposit = escrow (tracked) + paid + fees + refunded`, where `fees` wait in the vault until the cluster closes.
#[account]
pub struct Cluster {
    /// Who opened the cluster, paid the deposit and gets the rest of it.
    pub renter: Address,
    /// The currency's mint.
    pub mint: Address,
    /// May accept or reject readiness, approve and dispute until it expires; zero = none.
    pub session_key: Address,
    /// The session key before the last change: it signed the challenges of disputes that were open then.
    pub previous_session_key: Address,
    /// sha256 of the configuration the renter wants (Ray version, image, …); opaque here.
    pub config_hash: [u8; 32],
    /// The lease whose node runs the head, the one accepted first; zero until then.
    pub head_lease: Address,
    /// Number of this cluster among its renter's; part of its address.
    pub id: u64,
    /// Unix seconds; from then on the session key may do nothing.
    pub session_expires_at: i64,
    /// When the session key last changed, unix seconds; intervals that began earlier cannot be disputed.
    pub session_changed_at: i64,
    /// Everything ever paid into the escrow by the renter.
    pub deposit: u64,
    /// Set aside for open leases: their price and the renter's fee.
    pub locked: u64,
    /// Sent to suppliers.
    pub paid: u64,
    /// Fees of both sides and `burned`, still in the escrow.
    pub fees: u64,
    /// Of `fees`, the price of time that the renter owes and nobody gets.
    pub burned: u64,
    /// Returned to the renter.
    pub refunded: u64,
    /// Unix seconds.
    pub opened_at: i64,
    /// Last booking or end of a lease, unix seconds; starts the idle clock.
    pub last_activity_at: i64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Leases ever booked.
    pub leases_booked: u32,
    /// Leases that are not closed yet.
    pub leases_open: u32,
    /// Leases with an open dispute.
    pub disputes_open: u32,
    /// One of `CURRENCY_…`.
    pub currency: u8,
    /// One of `CLUSTER_KIND_…`.
    pub kind: u8,
    /// 1 = the session key changed while a dispute was open; it cannot change again before all are decided.
    pub key_changed_in_dispute: u8,
    /// Of this account's address.
    pub bump: u8,
    /// Of the escrow's address.
    pub escrow_bump: u8,
    /// `Cluster::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 38],
}

impl Cluster {
    pub const SEED: &'static [u8] = b"cluster";
    pub const ESCROW_SEED: &'static [u8] = b"escrow";
    pub const VERSION: u8 = 1;

    /// A cluster without a lease.
    pub fn new(paid_by: &Purse, id: u64, args: &OpenClusterArgs, bumps: (u8, u8), now: i64) -> Self {
        Self {
            renter: paid_by.renter,
            mint: paid_by.mint,
            session_key: args.session_key,
            previous_session_key: Address::default(),
            config_hash: args.config_hash,
            head_lease: Address::default(),
            id,
            session_expires_at: args.session_expires_at,
            session_changed_at: now,
            deposit: args.deposit,
            locked: 0,
            paid: 0,
            fees: 0,
            burned: 0,
            refunded: 0,
            opened_at: now,
            last_activity_at: now,
            seq: 0,
            leases_booked: 0,
            leases_open: 0,
            disputes_open: 0,
            currency: paid_by.currency,
            kind: args.kind,
            key_changed_in_dispute: 0,
            bump: bumps.0,
            escrow_bump: bumps.1,
            version: Self::VERSION,
            _padding: [0; 38],
        }
    }

    /// What the escrow holds for the renter and their leases.
    pub fn escrow(&self) -> Result<u64> {
        math::sub(math::sub(math::sub(self.deposit, self.paid)?, self.fees)?, self.refunded)
    }

    /// Budget that is not locked by a lease.
    #[inline(never)]
    pub fn free(&self) -> Result<u64> {
        math::sub(self.escrow()?, self.locked)
    }

    pub fn lock(&mut self, amount: u64) -> Result<()> {
        require!(self.free()? >= amount, IonetError::BudgetTooSmall);
        self.locked = math::add(self.locked, amount)?;
        Ok(())
    }

    pub fn unlock(&mut self, amount: u64) -> Result<()> {
        self.locked = math::sub(self.locked, amount)?;
        Ok(())
    }

    /// The renter, or a session key that has not expired.
    pub fn may_act(&self, signer: &Address, now: i64) -> bool {
        *signer == self.renter || (*signer == self.session_key && now < self.session_expires_at)
    }

    /// Replaces the session key. While disputes are open the old one is still needed to check their evidence, so one
    /// change is allowed then, a second is not.
    pub fn set_session_key(&mut self, key: Address, expires_at: i64, now: i64) -> Result<()> {
        check_session_key(&key, expires_at, now)?;
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
        self.lock(bond)?;
        self.disputes_open = self.disputes_open.checked_add(1).ok_or(IonetError::Overflow)?;
        Ok(())
    }

    pub fn close_dispute(&mut self, bond_returned: u64) -> Result<()> {
        self.unlock(bond_returned)?;
        self.disputes_open = self.disputes_open.checked_sub(1).ok_or(IonetError::Overflow)?;
        if self.disputes_open == 0 {
            self.key_changed_in_dispute = 0;
        }
        Ok(())
    }

    /// Makes a lease that is accepted the head if there is none; returns its role.
    pub fn take_head(&mut self, lease: &Address) -> u8 {
        if self.head_lease != Address::default() {
            return LEASE_ROLE_WORKER;
        }
        self.head_lease = *lease;
        LEASE_ROLE_HEAD
    }

    /// Forgets the head when its lease is over: the next lease accepted becomes the head.
    #[inline(never)]
    pub fn leave_head(&mut self, lease: &Address) {
        if self.head_lease == *lease {
            self.head_lease = Address::default();
        }
    }

    /// Takes `amount` out of what is locked: nobody gets it.
    pub fn burn(&mut self, amount: u64) -> Result<()> {
        self.unlock(amount)?;
        self.fees = math::add(self.fees, amount)?;
        self.burned = math::add(self.burned, amount)?;
        Ok(())
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
