//! Units and limits that no parameter may change.

use anchor_lang::prelude::*;

/// Base units of one IO token (8 decimals).
#[constant]
pub const IO_UNIT: u64 = 100_000_000;
#[constant]
pub const IO_DECIMALS: u8 = 8;
/// IOSD and USDC count micro-dollars.
#[constant]
pub const USD_DECIMALS: u8 = 6;
#[constant]
pub const USD_UNIT: u64 = 1_000_000;

/// IO minted once, by `init_network` (500 M; emission may add up to 300 M more, ever).
#[constant]
pub const IO_GENESIS: u64 = 500_000_000 * IO_UNIT;

/// Basis points in a whole.
#[constant]
pub const BPS: u64 = 10_000;
#[constant]
pub const PERCENT: u64 = 100;
#[constant]
pub const SECS_PER_HOUR: u64 = 3_600;

/// Processors one node may register (one machine).
#[constant]
pub const MAX_PROCESSORS: u8 = 8;
/// Micro-dollars per processor-hour that a node may ask at most ($1,000,000); keeps every product inside u128.
#[constant]
pub const MAX_PRICE: u64 = 1_000_000_000_000_u64;
/// Longest lease that a node may offer, in seconds (one year).
#[constant]
pub const MAX_DURATION: u32 = 366 * 24 * 3_600;

/// Open intervals that a lease can hold (see `Lease::ring`).
pub const RING: usize = 16;
/// Open unbonding tickets per position.
pub const MAX_TICKETS: usize = 8;
/// Currencies of clusters; a set of them is a byte.
pub const CURRENCIES: usize = 3;
/// Longest that a payout can be locked, in seconds (1,200 days).
#[constant]
pub const MAX_LOCK_SECS: u64 = 1_200 * 86_400;
/// Broken promises that a node's account remembers; as many and one more can be the limit.
pub const PROMISES_KEPT: usize = 3;
/// Steps of the slashing ladder.
pub const TIERS: usize = 4;

/// Virtual shares and assets of a stake pool: one unit of each, scaled, so that the first depositor
/// cannot raise the price of a share by a donation (OpenZeppelin's ERC-4626 offset).
#[constant]
pub const VIRTUAL_SHARES: u128 = 1_000;
#[constant]
pub const VIRTUAL_ASSETS: u128 = 1;
/// Shares per unit, at most, that a slash may leave (at first there are a thousand). Beyond it the pool counts as
/// wiped: less than one part in 2^40 was left, and shares must stay far below 128 bits whatever is staked again.
#[constant]
pub const MAX_SHARES_PER_UNIT: u128 = VIRTUAL_SHARES << 40;
/// Shares per unit, at most, at which a stranger may join a pool: it can then lose all but one part in 2^20 before it
/// counts as wiped, so no co-staker's shares are voided while they are worth something.
#[constant]
pub const CO_SHARES_PER_UNIT: u128 = VIRTUAL_SHARES << 20;
/// Scale of `Node::reward_per_share`.
#[constant]
pub const REWARD_SCALE: u128 = 1_u128 << 64;
