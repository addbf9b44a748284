use anchor_lang::prelude::*;
use bytemuck::Zeroable;

use super::{DeviceModel, Params, Pool, Ticket, CURRENCY_IO, CURRENCY_IOSD, CURRENCY_USDC};
use crate::constants::{CURRENCIES, MAX_DURATION, MAX_LOCK_SECS, MAX_PRICE, PROMISES_KEPT};
use crate::error::IonetError;
use crate::math;

#[constant]
pub const NODE_FLAG_PAUSED: u8 = 1;
#[constant]
pub const NODE_FLAG_RETIRED: u8 = 2;
#[constant]
pub const NODE_FLAG_BLOCKED: u8 = 4;
#[constant]
pub const NODE_FLAG_FROZEN: u8 = 8;
/// Was not ready in time; owner or device key take it off.
#[constant]
pub const NODE_FLAG_ABSENT: u8 = 16;

/// What the owner offers; changes bind new leases only.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct NodeTerms {
    /// Micro-dollars per processor-hour.
    pub price: u64,
    /// IO backing per IOSD that the owner insists on, in basis points of a dollar; 0 = none.
    pub min_coverage_bps: u32,
    /// Shortest and longest lease, seconds.
    pub min_duration: u32,
    pub max_duration: u32,
    /// Wallet whose token accounts receive payments.
    pub payout: Address,
    /// Wallet that pays the agent's transaction fees.
    pub fee_payer: Address,
    /// ISO 3166-1 numeric.
    pub country: u16,
    /// Set of 1 = IOSD, 2 = USDC, 4 = IO.
    pub currencies: u8,
    pub region: u8,
}

impl NodeTerms {
    pub fn validate(&self) -> Result<()> {
        require!(self.price > 0 && self.price <= MAX_PRICE, IonetError::BadPrice);
        require!(
            self.min_duration > 0 && self.min_duration <= self.max_duration && self.max_duration <= MAX_DURATION,
            IonetError::BadDuration
        );
        let known = CURRENCY_IOSD | CURRENCY_USDC | CURRENCY_IO;
        require!(self.currencies != 0 && self.currencies & !known == 0, IonetError::BadCurrencies);
        require!(self.country > 0 && self.country < 1_000, IonetError::BadCountry);
        let empty = Address::default();
        require!(self.payout != empty && self.fee_payer != empty, IonetError::BadPayout);
        Ok(())
    }
}

/// What never changes about a node, but for its device key.
pub struct Machine {
    pub owner: Address,
    pub device_key: Address,
    /// Code of the device model.
    pub model: u16,
    pub processors: u8,
}

/// A machine that can be rented. Never closed; a retired node stays as a tombstone.
#[account]
pub struct Node {
    /// Bonds the stake, sets the terms, may leave leases and retire the node.
    pub owner: Address,
    /// Seed of this address; never changes.
    pub first_device_key: Address,
    /// Signs readiness and proofs; the owner may rotate it.
    pub device_key: Address,
    /// Wallet whose token accounts receive payments.
    pub payout: Address,
    /// Wallet that pays the agent's transaction fees.
    pub fee_payer: Address,
    /// The lease that occupies the node; zero = none.
    pub current_lease: Address,
    /// Micro-dollars per processor-hour.
    pub price: u64,
    pub next_lease_number: u64,
    /// Until when the last lease can still be proven or disputed, unix seconds; the owner's unbonding waits for it.
    pub busy_until: i64,
    /// Until when every lease before the last one could be proven or disputed, unix seconds.
    pub earlier_over_at: i64,
    /// Stake that counts for new leases.
    pub bonded: Pool,
    /// Stake on its way out; still slashable.
    pub unbonding: Pool,
    /// The owner's shares of the bonded pool; the rest are co-stakers'.
    pub owner_bonded_shares: PodU128,
    /// The owner's shares of the unbonding pool; the rest are co-stakers'.
    pub owner_unbonding_shares: PodU128,
    /// Rewards per bonded share of co-stakers since registration, scaled by 2^64.
    pub reward_per_share: PodU128,
    /// Rewards in the stake vault that the owner has not claimed yet.
    pub owner_rewards: u64,
    /// Rewards in the stake vault that co-stakers have not claimed yet, all together.
    pub co_rewards: u64,
    /// Of `co_rewards`, what positions have settled and not claimed.
    pub co_settled: u64,
    /// IO that the owner put in while the node was frozen; outside the shares until the owner stakes it.
    pub refill: u64,
    /// Leases that ended.
    pub leases_closed: u64,
    /// Seconds served in them.
    pub served_secs: u64,
    /// Seconds missed in them.
    pub missed_secs: u64,
    /// Micro-dollars (IOSD, USDC) earned before fees.
    pub earned: u64,
    /// IO base units earned before fees, in clusters paid in IO.
    pub earned_io: u64,
    /// IO slashed so far.
    pub slashed: u64,
    /// Unix seconds.
    pub registered_at: i64,
    /// When the last promises to be ready were broken, newest first, unix seconds; 0 = none. Empty after a slash for it.
    pub promises_broken_at: [i64; PROMISES_KEPT],
    /// Number of the next arbiter case.
    pub next_case: u64,
    /// Start of the window in which cases' caps count, unix seconds.
    pub case_window_start: i64,
    /// IO that cases took in that window.
    pub case_window_amount: u64,
    /// After a case ended, no other can be opened before this, unix seconds: stakers can always leave in between.
    pub no_case_before: i64,
    /// Since when `pending_co_share_bps` binds, unix seconds; 0 = nothing is pending.
    pub pending_co_share_at: i64,
    /// Number of events of this account so far.
    pub seq: u64,
    /// Until when the payout is locked to its address, unix seconds; 0 = it is not.
    pub payout_locked_until: i64,
    /// Income per bonded share of co-stakers since registration, scaled by 2^64; IOSD, USDC, IO.
    pub income_per_share: [PodU128; CURRENCIES],
    /// Income in the vaults that co-stakers have not claimed yet, all together.
    pub co_income: [u64; CURRENCIES],
    /// Of `co_income`, what positions have settled and not claimed.
    pub co_income_settled: [u64; CURRENCIES],
    /// From here to `offer_since` laid out for prices that move, unused: lowest price the owner allows.
    pub floor: u64,
    /// Highest price the owner allows; 0 = the price is fixed.
    pub ceiling: u64,
    /// The price before its last change.
    pub price_before: u64,
    /// When the price last changed, unix seconds.
    pub priced_at: i64,
    /// Last change of bounds or terms, or end of a pause, unix seconds.
    pub offer_since: i64,
    /// Ended leases whose income co-stakers share in and that are not settled in full.
    pub unsettled: u32,
    /// Raised by every change of the terms; bookings name the one they read.
    pub terms_seq: u32,
    /// Shortest lease, seconds.
    pub min_duration: u32,
    /// Longest lease, seconds.
    pub max_duration: u32,
    /// IO backing per IOSD that the owner insists on, in basis points of a dollar; 0 = none.
    pub min_coverage_bps: u32,
    /// Mbit/s as the device measured itself; never used for money.
    pub bandwidth_down: u32,
    /// Mbit/s as the device measured itself; never used for money.
    pub bandwidth_up: u32,
    /// Part of their rewards that co-stakers get.
    pub co_share_bps: u16,
    /// Its successor.
    pub pending_co_share_bps: u16,
    /// Part of leases' income that is handed to the bonded pool; copied into a lease at booking.
    pub income_share_bps: u16,
    /// Its successor.
    pub pending_income_share_bps: u16,
    /// Laid out, unused: part of the price at which interruptible leases are booked; 0 = none are.
    pub interruptible_bps: u16,
    /// Code of the device model.
    pub model: u16,
    /// ISO 3166-1 numeric.
    pub country: u16,
    /// Of the income vaults' addresses; 0 = not opened.
    pub income_vault_bumps: [u8; CURRENCIES],
    pub processors: u8,
    pub region: u8,
    /// Connectivity 1–4 as the device measured itself; 0 = unknown.
    pub tier: u8,
    /// Set of `CURRENCY_…`.
    pub currencies: u8,
    /// Set of `NODE_FLAG_…`.
    pub flags: u8,
    /// Of this account's address.
    pub bump: u8,
    /// Of the stake vault's address.
    pub stake_vault_bump: u8,
    /// `Node::VERSION`.
    pub version: u8,
    /// Room for fields to come; zero, which means what was true before them.
    pub _padding: [u8; 51],
}

impl Node {
    pub const SEED: &'static [u8] = b"node";
    pub const STAKE_SEED: &'static [u8] = b"stake";
    /// Income vault of a node and a mint.
    pub const INCOME_SEED: &'static [u8] = b"income";
    pub const VERSION: u8 = 1;

    /// A machine without stake on the owner's terms.
    #[inline(never)]
    pub fn new(machine: &Machine, terms: &NodeTerms, bumps: (u8, u8), now: i64) -> Self {
        Self {
            owner: machine.owner,
            first_device_key: machine.device_key,
            device_key: machine.device_key,
            payout: terms.payout,
            fee_payer: terms.fee_payer,
            price: terms.price,
            registered_at: now,
            terms_seq: 1,
            min_duration: terms.min_duration,
            max_duration: terms.max_duration,
            min_coverage_bps: terms.min_coverage_bps,
            model: machine.model,
            country: terms.country,
            processors: machine.processors,
            region: terms.region,
            currencies: terms.currencies,
            bump: bumps.0,
            stake_vault_bump: bumps.1,
            version: Self::VERSION,
            ..Self::zeroed()
        }
    }

    #[inline(never)]
    pub fn set_terms(&mut self, terms: &NodeTerms, now: i64) -> Result<()> {
        terms.validate()?;
        if self.is_locked(now) {
            require!(terms.payout == self.payout, IonetError::PayoutLocked);
            require!(terms.price >= self.lowest_price(), IonetError::FloorLocked);
        }
        self.price = terms.price;
        self.min_coverage_bps = terms.min_coverage_bps;
        self.min_duration = terms.min_duration;
        self.max_duration = terms.max_duration;
        self.payout = terms.payout;
        self.fee_payer = terms.fee_payer;
        self.country = terms.country;
        self.currencies = terms.currencies;
        self.region = terms.region;
        self.terms_seq = self.terms_seq.checked_add(1).ok_or(IonetError::Overflow)?;
        Ok(())
    }

    /// Whether shares that are made for this staker now would take a part of what others stood behind. A refill of a
    /// frozen node makes none.
    pub fn shares_income_with_others(&self, staker: &Address) -> bool {
        let alone = self.bonded.shares.get() == self.owner_bonded_shares.get() || self.flags & NODE_FLAG_FROZEN != 0;
        *staker != self.owner || !alone
    }

    /// Counts a broken promise; whether it is number `limit` within `window_secs`. Then the count begins again.
    pub fn break_promise(&mut self, limit: u8, window_secs: u32, now: i64) -> bool {
        let too_many = match usize::from(limit).checked_sub(2) {
            None => true,
            Some(place) => self
                .promises_broken_at
                .get(place)
                .is_some_and(|at| *at > 0 && math::secs_between(*at, now) < u64::from(window_secs)),
        };
        let [newest, older, _] = self.promises_broken_at;
        self.promises_broken_at = if too_many { [0; PROMISES_KEPT] } else { [now, newest, older] };
        too_many
    }

    pub fn is_locked(&self, now: i64) -> bool {
        now < self.payout_locked_until
    }

    /// The least that a booking can cost: the owner's floor, or the price where it is fixed.
    pub fn lowest_price(&self) -> u64 {
        if self.ceiling == 0 {
            self.price
        } else {
            self.floor
        }
    }

    /// Locks the payout to `beneficiary`, or makes such a lock longer.
    pub fn lock_payout(&mut self, beneficiary: Address, until: i64, now: i64) -> Result<()> {
        require!(beneficiary != Address::default(), IonetError::BadPayout);
        let longest = math::add_time(now, MAX_LOCK_SECS)?;
        require!(until > now.max(self.payout_locked_until) && until <= longest, IonetError::BadLock);
        require!(!self.is_locked(now) || beneficiary == self.payout, IonetError::PayoutLocked);
        self.payout = beneficiary;
        self.payout_locked_until = until;
        Ok(())
    }

    /// Whether new leases and extensions are allowed now; computed, never stored.
    #[inline(never)]
    pub fn check_hireable(&self, model: &DeviceModel, params: &Params) -> Result<u64> {
        require!(self.flags & NODE_FLAG_RETIRED == 0, IonetError::NodeRetired);
        require!(self.flags & (NODE_FLAG_BLOCKED | NODE_FLAG_FROZEN) == 0, IonetError::NodeBlocked);
        require!(self.flags & NODE_FLAG_PAUSED == 0, IonetError::NodePaused);
        require!(self.flags & NODE_FLAG_ABSENT == 0, IonetError::NodeAbsent);
        require!(model.enabled == 1, IonetError::ModelDisabled);
        let required = model.required_stake(params.stake_per_processor, self.processors)?;
        require!(self.counted_stake(params.co_stake_max_percent)? >= required, IonetError::StakeTooLow);
        Ok(required)
    }

    /// Frees the node for the next lease if `lease` is the one that occupies it. It ended by `now`, so `delay` later
    /// nothing about it can be proven or disputed any more.
    pub fn vacate(&mut self, lease: &Address, now: i64, delay: u64) -> Result<()> {
        if self.current_lease == *lease {
            self.current_lease = Address::default();
            self.busy_until = self.busy_until.min(math::add_time(now, delay)?);
        }
        Ok(())
    }

    /// Counts what a lease in `currency` pays, before fees.
    pub fn earn(&mut self, currency: u8, amount: u64) -> Result<()> {
        let total = if currency == CURRENCY_IO { &mut self.earned_io } else { &mut self.earned };
        *total = math::add(*total, amount)?;
        Ok(())
    }

    /// Whether anybody but the owner has stake here, on its way out or not.
    pub fn has_co_stake(&self) -> bool {
        self.bonded.shares.get() > self.owner_bonded_shares.get()
            || self.unbonding.shares.get() > self.owner_unbonding_shares.get()
    }

    /// Whether a ticket of the owner still waits for a lease that ran when it was made: until that is really over, at
    /// the latest when it was booked to be over then.
    pub fn awaits_lease(&self, ticket: &Ticket, now: i64) -> bool {
        let is_last = ticket.lease_number == self.next_lease_number;
        now < ticket.lease_over_by.min(if is_last { self.busy_until } else { self.earlier_over_at })
    }

    /// Everything that can be slashed.
    pub fn stake(&self) -> Result<u64> {
        math::add(self.bonded.amount, self.unbonding.amount)
    }

    pub fn next_seq(&mut self) -> Result<u64> {
        self.seq = math::add(self.seq, 1)?;
        Ok(self.seq)
    }
}
