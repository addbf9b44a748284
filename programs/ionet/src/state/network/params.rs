//! Every window, grace, deadline, tier and minimum of the network. A lease copies what it uses, so a change
//! of parameters binds new leases only.

use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};

use crate::constants::{IO_UNIT, TIERS, USD_UNIT};
use crate::error::IonetError;

pub mod bounds;
pub mod waits;

#[constant]
pub const PROFILE_MAINNET: u8 = 0;
#[constant]
pub const PROFILE_LOCAL: u8 = 1;

/// 256 bytes. Durations are seconds, shares are basis points, amounts are base units of IO.
#[derive(Clone, Copy, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, IdlType)]
#[repr(C)]
pub struct Params {
    /// IO a node must have bonded per processor and per point of `max(1, multiplier)`.
    pub stake_per_processor: u64,
    /// Most IO a reporter of missed time can get for one report.
    pub reporter_cap: u64,
    /// IOSD that can be minted in a window however small the supply is, base units.
    pub mint_floor: u64,
    /// IOSD that can be redeemed in a window however small the supply is, base units.
    pub redeem_floor: u64,
    /// IO that all cases together can take in a window, base units.
    pub case_network_cap: u64,
    /// Length of a proof interval.
    pub interval_secs: u32,
    /// From booking until the node must be ready.
    pub ready_deadline_secs: u32,
    /// From ready until the renter must accept.
    pub accept_deadline_secs: u32,
    /// Least time of readiness that a renter pays for who rejects it.
    pub reject_floor_secs: u32,
    /// After an interval closed, how long its payment can be disputed.
    pub dispute_window_secs: u32,
    /// How long a dispute can be defended.
    pub defend_window_secs: u32,
    /// Time at the start of a lease of which nothing is refunded.
    pub min_charge_secs: u32,
    /// Outage after which anyone may end the lease as the supplier's fault.
    pub fault_after_secs: u32,
    /// After a restart of the chain, how long (in slots) nobody is held to a deadline.
    pub recovery_secs: u32,
    /// From `request_unbond` until the stake may leave.
    pub unbond_cooldown_secs: u32,
    /// Extra notice of a co-staker.
    pub co_notice_secs: u32,
    /// Notice before worse terms bind co-stakers.
    pub terms_notice_secs: u32,
    /// Delay before changed parameters or roles take effect.
    pub timelock_secs: u32,
    /// Window in which broken promises to be ready are counted.
    pub promise_window_secs: u32,
    /// After how much idle time anyone may close a cluster without open leases.
    pub idle_close_secs: u32,
    /// Outage after which tier 2, 3 and 4 are reached; tier 1 is counted in intervals.
    pub tier_secs: [u32; TIERS - 1],
    /// Oldest price that is accepted.
    pub price_max_age_secs: u32,
    /// How far a price may lie in the future.
    pub price_future_secs: u32,
    /// Without a valid price for this long, redemption uses the last rate.
    pub last_rate_after_secs: u32,
    /// Length of the minting and redeeming limiters' window.
    pub limiter_window_secs: u32,
    /// From an arbiter's case until it is decided for the staker.
    pub appeal_secs: u32,
    /// Window in which cases' caps count.
    pub case_window_secs: u32,
    /// Upper bound of one slot's length in milliseconds; meant to be at most 1.25 times the real one.
    pub slot_ms: u32,
    /// Parts of the required stake that the tiers take, cumulative within one outage.
    pub tier_bps: [u16; TIERS],
    /// What `quit_lease` takes.
    pub quit_bps: u16,
    /// What the last of too many broken promises takes.
    pub promise_bps: u16,
    /// Part of the metered time that may be missed or undefended before the renter can end the lease as the supplier's
    /// fault.
    pub fault_bps: u16,
    /// Fee of the renter on what is paid.
    pub renter_fee_bps: u16,
    /// Fee of the supplier on what is paid.
    pub supplier_fee_bps: u16,
    /// Added to both in USDC clusters.
    pub usdc_fee_bps: u16,
    /// Part of the locked price of missed time that the renter gets at most.
    pub renter_share_bps: u16,
    /// Part of the owner's slash that the reporter gets.
    pub reporter_bps: u16,
    /// Bond of a dispute, in parts of the disputed amount.
    pub dispute_bond_bps: u16,
    /// Part of a fee in IOSD or IO that is burned; the rest goes to the fee vault.
    pub burn_share_bps: u16,
    /// Left in the backing by each mint and each redemption.
    pub spread_bps: u16,
    /// Widest accepted confidence interval of a price.
    pub conf_max_bps: u16,
    /// Largest part of the supply that can be minted in a window.
    pub mint_limit_bps: u16,
    /// Largest part of the supply that can be redeemed in a window.
    pub redeem_limit_bps: u16,
    /// Largest part of a node's stake that cases can take in a window.
    pub case_cap_bps: u16,
    /// Intervals after its own end in which a proof is still accepted.
    pub grace_intervals: u8,
    /// Missing intervals in a row that reach tier 1.
    pub tier1_intervals: u8,
    /// The broken promise (counted in the window) that is slashed.
    pub promise_limit: u8,
    /// Co-stake as a part of the bonded pool, in percent, at most.
    pub co_stake_max_percent: u8,
    /// Room for parameters to come; zero.
    pub _padding: [u8; 74],
}

impl Params {
    /// The figures of the design.
    pub fn mainnet() -> Self {
        Self {
            stake_per_processor: 200 * IO_UNIT,
            reporter_cap: 500 * IO_UNIT,
            interval_secs: 600,
            ready_deadline_secs: 300,
            accept_deadline_secs: 1_200,
            dispute_window_secs: 3_600,
            defend_window_secs: 3_600,
            min_charge_secs: 3_600,
            fault_after_secs: 3_600,
            reject_floor_secs: 60,
            unbond_cooldown_secs: 14 * 86_400,
            co_notice_secs: 7 * 86_400,
            terms_notice_secs: 21 * 86_400,
            timelock_secs: 2 * 86_400,
            promise_window_secs: 30 * 86_400,
            idle_close_secs: 7 * 86_400,
            tier_secs: [3_600, 48 * 3_600, 120 * 3_600],
            price_max_age_secs: 60,
            price_future_secs: 10,
            last_rate_after_secs: 86_400,
            limiter_window_secs: 3_600,
            appeal_secs: 30 * 86_400,
            slot_ms: 250,
            tier_bps: [200, 400, 3_000, 5_000],
            quit_bps: 200,
            promise_bps: 50,
            renter_fee_bps: 25,
            supplier_fee_bps: 25,
            usdc_fee_bps: 200,
            renter_share_bps: 2_500,
            reporter_bps: 500,
            dispute_bond_bps: 100,
            burn_share_bps: 10_000,
            spread_bps: 50,
            conf_max_bps: 100,
            mint_limit_bps: 1_000,
            redeem_limit_bps: 1_000,
            case_cap_bps: 1_000,
            grace_intervals: 1,
            tier1_intervals: 2,
            promise_limit: 3,
            co_stake_max_percent: 50,
            case_window_secs: 30 * 86_400,
            recovery_secs: 2 * 3_600,
            fault_bps: 500,
            mint_floor: 1_000_000 * USD_UNIT,
            redeem_floor: 1_000_000 * USD_UNIT,
            case_network_cap: 1_000_000 * IO_UNIT,
            _padding: [0; 74],
        }
    }

    /// The same rules in seconds, so that a demonstration lives through a whole lease.
    pub fn local() -> Self {
        Self {
            interval_secs: 3,
            ready_deadline_secs: 120,
            accept_deadline_secs: 300,
            dispute_window_secs: 6,
            defend_window_secs: 10,
            min_charge_secs: 6,
            fault_after_secs: 15,
            reject_floor_secs: 3,
            unbond_cooldown_secs: 5,
            co_notice_secs: 3,
            terms_notice_secs: 5,
            timelock_secs: 5,
            promise_window_secs: 600,
            idle_close_secs: 30,
            tier_secs: [20, 120, 240],
            last_rate_after_secs: 120,
            limiter_window_secs: 60,
            appeal_secs: 30,
            case_window_secs: 600,
            recovery_secs: 60,
            slot_ms: 500,
            mint_floor: 100_000_000 * USD_UNIT,
            redeem_floor: 100_000_000 * USD_UNIT,
            ..Self::mainnet()
        }
    }

    pub fn of_profile(profile: u8) -> Result<Self> {
        let params = match profile {
            PROFILE_MAINNET => Self::mainnet(),
            PROFILE_LOCAL => Self::local(),
            _ => return Err(IonetError::UnknownProfile.into()),
        };
        params.check_ring()?;
        Ok(params)
    }
}
