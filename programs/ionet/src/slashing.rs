//! How a slash is taken and divided. Pro rata from the bonded and the unbonding pool; the co-stakers' part is burned;
//! of the owner's part the renter is compensated first, then the reporter rewarded, both together at most half of it; the
//! rest is burned. No party can gain more than the slash itself, so no set of colluding parties gains anything; and an
//! owner who is renter and reporter too still loses half of what falls on them, so burning others' stake costs them.

use anchor_lang::prelude::*;
use anchor_spl::token::TokenAccount;

use crate::constants::IO_UNIT;
use crate::events::NodeSlashed;
use crate::state::{Lease, Node, Pool, CURRENCY_IO};
use crate::{math, token};

#[constant]
pub const SLASH_REASON_MISSED: u8 = 1;
#[constant]
pub const SLASH_REASON_QUIT: u8 = 2;
#[constant]
pub const SLASH_REASON_PROMISE: u8 = 3;
#[constant]
pub const SLASH_REASON_CASE: u8 = 4;

/// What a slash comes to, in IO base units.
#[derive(Clone, Copy, Default)]
pub struct Slash {
    pub amount: u64,
    pub from_bonded: u64,
    pub from_unbonding: u64,
    /// Taken from the owner's shares; the rest from co-stakers'.
    pub from_owner: u64,
}

/// Takes `bps` of the required stake, at most everything the node has.
pub fn take(node: &mut Node, required_stake: u64, bps: u16) -> Result<Slash> {
    take_amount(node, math::bps_floor(required_stake, u64::from(bps))?)
}

/// Takes `amount`, at most everything the node has.
#[inline(never)]
pub fn take_amount(node: &mut Node, amount: u64) -> Result<Slash> {
    let stake = node.stake()?;
    let amount = amount.min(stake);
    if amount == 0 {
        return Ok(Slash::default());
    }
    let from_bonded =
        math::to_u64(math::mul_div(u128::from(amount), u128::from(node.bonded.amount), u128::from(stake))?)?;
    let from_unbonding = math::sub(amount, from_bonded)?;
    let of_bonded = owner_part(&node.bonded, node.owner_bonded_shares.get(), from_bonded)?;
    let of_unbonding = owner_part(&node.unbonding, node.owner_unbonding_shares.get(), from_unbonding)?;
    node.bonded.slash(from_bonded)?;
    node.unbonding.slash(from_unbonding)?;
    if node.bonded.shares.get() == 0 {
        node.owner_bonded_shares = 0u128.into();
    }
    if node.unbonding.shares.get() == 0 {
        node.owner_unbonding_shares = 0u128.into();
    }
    node.slashed = math::add(node.slashed, amount)?;
    Ok(Slash { amount, from_bonded, from_unbonding, from_owner: math::add(of_bonded, of_unbonding)? })
}

/// What the owner loses of `amount` taken from a pool, rounded down against those who are paid from it.
fn owner_part(pool: &Pool, owner_shares: u128, amount: u64) -> Result<u64> {
    let shares = pool.shares.get();
    if amount == 0 || shares == 0 {
        return Ok(0);
    }
    math::to_u64(math::mul_div(u128::from(amount), owner_shares.min(shares), shares)?)
}

/// How the owner's part is divided.
#[derive(Clone, Copy, Default)]
pub struct Division {
    pub to_renter: u64,
    pub to_reporter: u64,
    pub burned: u64,
}

/// Divides a slash: the renter gets at most their share of the locked price of `missed_secs`, valued at the price of IO
/// when the lease was booked; the reporter their part, capped. Both together get at most half of the owner's part.
#[inline(never)]
pub fn divide(
    slash: &Slash,
    lease: &Lease,
    missed_secs: u64,
    pay_renter: bool,
    pay_reporter: bool,
) -> Result<Division> {
    let most = slash.from_owner / 2;
    let to_renter = if pay_renter { compensation(lease, missed_secs)?.min(most) } else { 0 };
    let left = math::sub(most, to_renter)?;
    let to_reporter = if pay_reporter {
        math::bps_floor(slash.from_owner, u64::from(lease.reporter_bps))?.min(lease.reporter_cap).min(left)
    } else {
        0
    };
    let burned = math::sub(math::sub(slash.amount, to_renter)?, to_reporter)?;
    Ok(Division { to_renter, to_reporter, burned })
}

fn compensation(lease: &Lease, missed_secs: u64) -> Result<u64> {
    if lease.io_price == 0 {
        return Ok(0);
    }
    let price = math::earned(lease.price, lease.processors, missed_secs)?;
    let part = math::bps_floor(price, u64::from(lease.renter_share_bps))?;
    if lease.currency == CURRENCY_IO {
        return Ok(part);
    }
    let io = math::mul_div(u128::from(part), u128::from(IO_UNIT), u128::from(lease.io_price))?;
    Ok(u64::try_from(io).unwrap_or(u64::MAX))
}

/// Where a slash goes.
pub struct Payees<'a> {
    pub vault: &'a mut Account<TokenAccount>,
    pub burn_vault: &'a mut Account<TokenAccount>,
    /// Written only when the renter is paid.
    pub renter_io: Option<&'a mut UncheckedAccount>,
    pub reporter_io: Option<&'a mut Account<TokenAccount>>,
}

/// Moves a divided slash out of the stake vault.
#[inline(never)]
pub fn pay(node: &Account<Node>, division: &Division, payees: Payees) {
    let (bump, first_key) = ([node.bump], node.first_device_key);
    let seeds: &[&[&[u8]]] = &[&[Node::SEED, first_key.as_ref(), &bump]];
    if division.to_renter > 0 {
        if let Some(account) = payees.renter_io {
            let (vault, to) = (payees.vault.cpi_handle_mut(), account.cpi_handle_mut());
            token::transfer(vault, to, node.cpi_handle(), division.to_renter, seeds);
        }
    }
    if let Some(account) = payees.reporter_io {
        let (vault, to) = (payees.vault.cpi_handle_mut(), account.cpi_handle_mut());
        token::transfer(vault, to, node.cpi_handle(), division.to_reporter, seeds);
    }
    let (vault, to) = (payees.vault.cpi_handle_mut(), payees.burn_vault.cpi_handle_mut());
    token::transfer(vault, to, node.cpi_handle(), division.burned, seeds);
}

/// Why and for what a slash was taken.
pub struct Cause {
    /// Zero for a decided case.
    pub lease: Address,
    pub reason: u8,
    pub bps: u16,
    pub missed_secs: u64,
    pub reporter: Address,
}

#[inline(never)]
pub fn event(
    node: &mut Account<Node>,
    cause: &Cause,
    slash: &Slash,
    division: &Division,
    at: i64,
) -> Result<NodeSlashed> {
    Ok(NodeSlashed {
        node: *node.address(),
        seq: node.next_seq()?,
        at,
        lease: cause.lease,
        reason: cause.reason,
        bps: cause.bps,
        missed_secs: cause.missed_secs,
        amount: slash.amount,
        from_bonded: slash.from_bonded,
        from_unbonding: slash.from_unbonding,
        to_renter: division.to_renter,
        to_reporter: division.to_reporter,
        burned: division.burned,
        reporter: cause.reporter,
        bonded_after: node.bonded.amount,
        unbonding_after: node.unbonding.amount,
    })
}
