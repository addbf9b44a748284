//! Reads Pyth's `PriceUpdateV2` and values IO with it. What comes in is valued at the low end of the price, what goes
//! out at the high end.
//!
//! Layout (Borsh, Pyth receiver): discriminator 8, write authority 32, verification level 1 (1 = full; partial has a
//! second byte and is refused), feed id 32, price i64, conf u64, exponent i32, publish time i64, previous publish
//! time i64, EMA price i64, EMA conf u64, posted slot u64.

use anchor_lang::prelude::*;

use crate::constants::{BPS, IO_UNIT};
use crate::error::IonetError;
use crate::math;
use crate::state::{Iosd, Network, Params};

pub const PYTH_RECEIVER: Address = anchor_lang::address!("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ");
const DISCRIMINATOR: [u8; 8] = [34, 241, 35, 99, 157, 126, 244, 205];
const LEVEL: usize = 40;
const FULL: u8 = 1;
const MESSAGE: usize = 41;
const MESSAGE_LEN: usize = 32 + 8 + 8 + 4 + 8 + 8 + 8 + 8;
/// IO has eight decimals, dollars six.
const UNIT_DECIMALS: u32 = 2;
const MIN_EXPONENT: i32 = -12;

/// A verified price of one IO in dollars, `mantissa · 10^exponent`.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub struct Price {
    pub publish_time: i64,
    exponent: i32,
    price: u64,
    ema: u64,
    /// The wider of the two confidence intervals.
    conf: u64,
    /// A newer price that the program has seen; where it is the worse of the two for the caller, it counts.
    newer: Option<Seen>,
}

/// What a price seen earlier put on one IO, in micro-dollars.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub struct Seen {
    /// On its way in, rounded down.
    pub low: u64,
    /// On its way out, rounded up.
    pub high: u64,
}

impl Price {
    /// Reads `account`, refusing whatever is not a fresh, certain, fully verified price of the network's feed. That a
    /// newer one was seen refuses nobody: it only counts where it is worse for the caller.
    pub fn load(account: &UncheckedAccount, network: &Network, iosd: &Iosd, now: i64) -> Result<Self> {
        let (feed_id, params) = (&network.feed_id, &network.params);
        require!(account.owned_by(&PYTH_RECEIVER), IonetError::OracleWrongOwner);
        let data = account.try_borrow().map_err(|_| IonetError::OracleBadAccount)?;
        let head = data.get(..MESSAGE).ok_or(IonetError::OracleBadAccount)?;
        require!(head.starts_with(&DISCRIMINATOR), IonetError::OracleBadAccount);
        require!(head.get(LEVEL) == Some(&FULL), IonetError::OracleNotVerified);
        let message =
            data.get(MESSAGE..).and_then(|rest| rest.get(..MESSAGE_LEN)).ok_or(IonetError::OracleBadAccount)?;
        require!(message.starts_with(feed_id), IonetError::OracleWrongFeed);

        let exponent = i32::from_le_bytes(field(message, 48)?);
        require!((MIN_EXPONENT..=0).contains(&exponent), IonetError::OracleBadExponent);
        let publish_time = i64::from_le_bytes(field(message, 52)?);
        require!(
            math::secs_between(publish_time, now) <= u64::from(params.price_max_age_secs),
            IonetError::OracleStale
        );
        require!(
            math::secs_between(now, publish_time) <= u64::from(params.price_future_secs),
            IonetError::OracleFuture
        );

        let price = positive(i64::from_le_bytes(field(message, 32)?))?;
        let ema = positive(i64::from_le_bytes(field(message, 68)?))?;
        let conf = u64::from_le_bytes(field(message, 40)?);
        let ema_conf = u64::from_le_bytes(field(message, 76)?);
        check_conf(conf, price, params)?;
        check_conf(ema_conf, ema, params)?;
        Ok(Self { publish_time, exponent, price, ema, conf: conf.max(ema_conf), newer: iosd.seen_after(publish_time) })
    }

    /// Mantissa at which IO that comes in is valued: `min(price, EMA) − 2 · max(conf, EMA conf)`.
    fn low(&self) -> Result<u64> {
        let margin = self.conf.checked_mul(2).ok_or(IonetError::OracleWorthless)?;
        let low = self.price.min(self.ema).checked_sub(margin).ok_or(IonetError::OracleWorthless)?;
        require!(low > 0, IonetError::OracleWorthless);
        Ok(low)
    }

    /// Mantissa at which IO that goes out is valued: `max(price, EMA) + 2 · max(conf, EMA conf)`.
    fn high(&self) -> Result<u64> {
        let margin = self.conf.checked_mul(2).ok_or(IonetError::Overflow)?;
        math::add(self.price.max(self.ema), margin)
    }

    /// Of `io · mantissa · 10^exponent` dollars per 10^8 base units, six of the eight decimals remain.
    fn scale(&self) -> Result<u128> {
        let decimals = UNIT_DECIMALS.checked_add(self.exponent.unsigned_abs()).ok_or(IonetError::Overflow)?;
        Ok(10u128.checked_pow(decimals).ok_or(IonetError::Overflow)?)
    }

    /// Micro-dollars that `io` base units are worth on their way in, rounded down.
    pub fn value_in(&self, io: u64) -> Result<u64> {
        let value = math::to_u64(math::mul_div(u128::from(io), u128::from(self.low()?), self.scale()?)?)?;
        let Some(newer) = self.newer else { return Ok(value) };
        Ok(value.min(math::to_u64(math::mul_div(io.into(), newer.low.into(), IO_UNIT.into())?)?))
    }

    /// Base units of IO that must come in to be worth `value` micro-dollars, rounded up.
    pub fn io_in(&self, value: u64) -> Result<u64> {
        let io = math::to_u64(math::mul_div_ceil(u128::from(value), self.scale()?, u128::from(self.low()?))?)?;
        let Some(newer) = self.newer else { return Ok(io) };
        require!(newer.low > 0, IonetError::OracleWorthless);
        Ok(io.max(math::to_u64(math::mul_div_ceil(value.into(), IO_UNIT.into(), newer.low.into())?)?))
    }

    /// Base units of IO that go out for `value` micro-dollars, rounded down.
    pub fn io_out(&self, value: u64) -> Result<u64> {
        let io = math::to_u64(math::mul_div(u128::from(value), self.scale()?, u128::from(self.high()?))?)?;
        let Some(newer) = self.newer else { return Ok(io) };
        Ok(io.min(newer.io_out(value)?))
    }

    /// IOSD that burning `io` mints: its value on its way in less the spread, which stays in the backing.
    pub fn mint_out(&self, io: u64, spread_bps: u16) -> Result<u64> {
        let value = self.value_in(io)?;
        math::sub(value, math::bps_ceil(value, u64::from(spread_bps))?)
    }

    /// The least IO whose burning mints `iosd`.
    pub fn mint_in(&self, iosd: u64, spread_bps: u16) -> Result<u64> {
        let kept = math::sub(BPS, u64::from(spread_bps))?;
        self.io_in(math::to_u64(math::mul_div_ceil(u128::from(iosd), u128::from(BPS), u128::from(kept))?)?)
    }

    /// Micro-dollars per IO on its way in, rounded down.
    pub fn low_price(&self) -> Result<u64> {
        self.value_in(IO_UNIT)
    }

    /// Micro-dollars per IO on its way out, rounded up.
    pub fn high_price(&self) -> Result<u64> {
        let own = math::to_u64(math::mul_div_ceil(u128::from(IO_UNIT), u128::from(self.high()?), self.scale()?)?)?;
        Ok(self.newer.map_or(own, |newer| own.max(newer.high)))
    }

    /// What this price by itself puts on one IO; None when a newer one was seen, which it never replaces.
    pub fn to_remember(self) -> Result<Option<Seen>> {
        if self.newer.is_some() {
            return Ok(None);
        }
        Ok(Some(Seen { low: self.low_price()?, high: self.high_price()? }))
    }
}

impl Seen {
    /// Base units of IO that go out for `value` micro-dollars, rounded down.
    pub fn io_out(&self, value: u64) -> Result<u64> {
        math::to_u64(math::mul_div(u128::from(value), u128::from(IO_UNIT), u128::from(self.high.max(1)))?)
    }
}

#[cfg(test)]
impl Price {
    /// A price as an account would give it, without its checks.
    pub fn of(price: u64, ema: u64, conf: u64, exponent: i32) -> Self {
        Self { publish_time: 0, exponent, price, ema, conf, newer: None }
    }
}

fn field<const N: usize>(message: &[u8], offset: usize) -> Result<[u8; N]> {
    message
        .get(offset..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or_else(|| IonetError::OracleBadAccount.into())
}

fn positive(value: i64) -> Result<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| IonetError::OracleNotPositive.into())
}

fn check_conf(conf: u64, price: u64, params: &Params) -> Result<()> {
    let limit = u128::from(price).saturating_mul(u128::from(params.conf_max_bps));
    require!(u128::from(conf).saturating_mul(u128::from(BPS)) <= limit, IonetError::OracleUncertain);
    Ok(())
}
