//! Properties of the arithmetic, of stake pools and of a lease's ring of intervals, on random values.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

mod iosd;
mod staking;

use anchor_lang::prelude::Address;
use bytemuck::Zeroable;
use proptest::prelude::*;

use crate::clock::Moment;
use crate::constants::{BPS, MAX_PRICE, MAX_PROCESSORS, RING, SECS_PER_HOUR};
use crate::math;
use crate::state::{Booking, Cluster, Lease, Node, Params, Pool, LEASE_ROLE_HEAD, PROFILE_LOCAL, PROFILE_MAINNET};

const YEAR: u64 = 366 * 24 * SECS_PER_HOUR;

proptest! {
    #[test]
    fn quotients_are_exact(a in any::<u64>(), b in any::<u64>(), c in 1..=u64::MAX) {
        let (a, b, c) = (u128::from(a), u128::from(b), u128::from(c));
        let (floor, ceil) = (math::mul_div(a, b, c).unwrap(), math::mul_div_ceil(a, b, c).unwrap());
        prop_assert_eq!(floor * c + a * b % c, a * b);
        prop_assert_eq!(ceil, floor + u128::from(a * b % c != 0));
    }

    #[test]
    fn quotients_of_256_bit_products_are_exact(a in any::<u128>(), c in 1..=u128::MAX, x: u32, y: u32, z in 1..=u16::MAX) {
        prop_assert_eq!(math::mul_div(a, c, c).unwrap(), a);
        prop_assert_eq!(math::mul_div_ceil(c, a, c).unwrap(), a);
        let (x, y, z) = (u128::from(x), u128::from(y), u128::from(z));
        let exact = (x * y) << 60;
        prop_assert_eq!(math::mul_div(x << 90, y << 80, z << 110).unwrap(), exact / z);
        prop_assert_eq!(math::mul_div_ceil(y << 80, x << 90, z << 110).unwrap(), exact.div_ceil(z));
    }

    #[test]
    fn a_quotient_beyond_128_bits_and_a_zero_divisor_are_refused(a in 1u128 << 64.., b in 1u128 << 64..) {
        prop_assert!(math::mul_div(a, b, 1).is_err());
        prop_assert!(math::mul_div_ceil(a, b, 1).is_err());
        prop_assert!(math::mul_div(1, 1, 0).is_err());
        prop_assert!(math::mul_div_ceil(1, 1, 0).is_err());
    }

    #[test]
    fn parts_never_exceed_the_whole(amount in any::<u64>(), bps in 0..=BPS) {
        let (floor, ceil) = (math::bps_floor(amount, bps).unwrap(), math::bps_ceil(amount, bps).unwrap());
        prop_assert!(floor <= ceil && ceil <= amount && ceil - floor <= 1);
        prop_assert_eq!(floor + math::bps_ceil(amount, BPS - bps).unwrap(), amount);
    }

    #[test]
    fn pay_in_steps_is_pay_at_once(
        price in 1..=MAX_PRICE,
        processors in 1..=MAX_PROCESSORS,
        steps in prop::collection::vec(0..=7_200u64, 1..50),
    ) {
        let (mut secs, mut paid) = (0, 0);
        for step in steps {
            secs += step;
            let due = math::earned(price, processors, secs).unwrap();
            prop_assert!(due >= paid);
            paid += due - paid;
        }
        prop_assert_eq!(u128::from(paid), u128::from(price) * u128::from(processors) * u128::from(secs) / 3_600);
    }

    #[test]
    fn the_dearest_lease_of_a_year_fits(price in 1..=MAX_PRICE, processors in 1..=MAX_PROCESSORS, secs in 0..=YEAR) {
        prop_assert!(math::earned(price, processors, secs).is_ok());
    }

    #[test]
    fn an_outage_is_never_longer_than_clock_and_slots_say(
        from in 0..i64::MAX, from_slot in any::<u64>(), now in 0..i64::MAX, slot in any::<u64>(), slot_ms in 1..1_000u32,
    ) {
        let secs = math::elapsed(from, from_slot, now, slot, slot_ms);
        prop_assert!(secs <= math::secs_between(from, now));
        prop_assert!(u128::from(secs) * 1_000 <= u128::from(slot.saturating_sub(from_slot)) * u128::from(slot_ms));
    }
}

#[derive(Clone, Debug)]
enum Move {
    Deposit(usize, u64),
    Leave(usize, u64),
    Slash(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let holder = 0..3usize;
    let one = prop_oneof![
        (holder.clone(), 1..=10u64.pow(13)).prop_map(|(who, amount)| Move::Deposit(who, amount)),
        (holder, 1..=10u64.pow(13)).prop_map(|(who, amount)| Move::Leave(who, amount)),
        (0..=BPS).prop_map(Move::Slash),
    ];
    prop::collection::vec(one, 1..40)
}

proptest! {
    /// However often a pool is slashed to almost nothing and staked to again, what is in it can be taken out.
    #[test]
    fn a_pool_slashed_to_crumbs_still_pays(stakes in prop::collection::vec(1..=8 * 10u64.pow(16), 1..30), crumb in 0..3u64) {
        let mut pool = Pool::zeroed();
        for stake in stakes {
            let before = pool.amount;
            let made = pool.deposit(stake).unwrap();
            prop_assert!(pool.worth(made).unwrap() <= stake);
            let mut leaving = pool;
            prop_assert!(leaving.redeem(made).unwrap() + leaving.amount == before + stake);
            pool.slash(pool.amount.saturating_sub(crumb)).unwrap();
        }
    }

    /// Nobody takes out more than they put in, whoever comes, goes and is slashed between; nothing is made of nothing.
    #[test]
    fn no_holder_of_a_pool_ever_gains(moves in moves()) {
        let mut pool = Pool::zeroed();
        let (mut shares, mut eras) = ([0u128; 3], [0u32; 3]);
        let (mut put, mut taken) = ([0u128; 3], [0u128; 3]);
        for step in moves {
            let before = pool.amount;
            match step {
                Move::Deposit(who, amount) => {
                    if eras[who] != pool.era {
                        (shares[who], eras[who]) = (0, pool.era);
                    }
                    let Ok(made) = pool.deposit(amount) else { continue };
                    prop_assert!(pool.worth(made).unwrap() <= amount);
                    shares[who] += made;
                    put[who] += u128::from(amount);
                }
                Move::Leave(who, amount) => {
                    let held = if eras[who] == pool.era { shares[who] } else { 0 };
                    let burned = pool.shares_for(amount, held).unwrap();
                    let worth = pool.redeem(burned).unwrap();
                    prop_assert_eq!(pool.amount + worth, before);
                    prop_assert!(burned == held || worth >= amount);
                    shares[who] = held - burned;
                    eras[who] = pool.era;
                    taken[who] += u128::from(worth);
                }
                Move::Slash(bps) => {
                    let era = pool.era;
                    let amount = math::bps_floor(pool.amount, bps).unwrap();
                    pool.slash(amount).unwrap();
                    prop_assert_eq!(pool.amount, before - amount);
                    prop_assert!(pool.era == era || pool.shares.get() == 0);
                }
            }
            let alive: u128 = (0..3).filter(|who| eras[*who] == pool.era).map(|who| shares[who]).sum();
            prop_assert_eq!(alive, pool.shares.get());
        }
        // Rounding favours who stays, by less than a unit for every move.
        let (put, taken): (u128, u128) = (put.iter().sum(), taken.iter().sum());
        prop_assert!(taken + u128::from(pool.amount) <= put);
    }
}

/// A lease of the mainnet profile that started at time zero.
fn lease(duration: u32) -> Lease {
    let (node, cluster) = (Node::zeroed(), Cluster::zeroed());
    let booking = Booking {
        node: Address::default(),
        cluster: Address::default(),
        price: 0,
        io_price: 0,
        required_stake: 0,
        duration,
        bump: 0,
        at: moment(0),
    };
    let mut lease = Lease::new(&booking, &node, &cluster, &Params::mainnet());
    lease.start(LEASE_ROLE_HEAD, &moment(1)).unwrap();
    lease
}

/// A moment on a chain that has never halted: slots of the length that the parameters say.
fn moment(now: i64) -> Moment {
    Moment { now, slot: u64::try_from(now).unwrap() * 4, restart_slot: 0 }
}

/// What was served, interval by interval, without a ring.
struct Plain {
    served: Vec<u64>,
    lengths: Vec<u64>,
}

impl Plain {
    fn new(duration: u32) -> Self {
        let lengths: Vec<u64> = (0..duration.div_ceil(600)).map(|k| u64::from((duration - k * 600).min(600))).collect();
        Self { served: vec![0; lengths.len()], lengths }
    }

    /// Intervals whose end is at least `delay` seconds ago.
    fn past(&self, at: u64, delay: u64) -> usize {
        let mut end = 0;
        self.lengths
            .iter()
            .take_while(|length| {
                end += **length;
                end + delay <= at
            })
            .count()
    }

    fn unserved(&self, upto: usize) -> u64 {
        (0..upto).map(|k| self.lengths[k] - self.served[k]).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However often it is folded, the ring says what a list of all intervals says, and forgets nothing.
    #[test]
    fn the_ring_is_a_window_on_all_intervals(
        duration in 1..40_000u32,
        steps in prop::collection::vec((0..2_500u64, 0..3u32, 0..=600u32, any::<bool>()), 1..60),
    ) {
        let (mut lease, mut plain, mut at) = (lease(duration), Plain::new(duration), 0u64);
        for (wait, back, secs, fold) in steps {
            at += wait;
            let now = 1 + i64::try_from(at).unwrap();
            let interval = u32::try_from(at / 600).unwrap().saturating_sub(back);
            let highest = plain.served.iter().rposition(|served| *served > 0);
            let accepted = lease.write_proof(interval, secs, &moment(now)).is_ok();
            let k = interval as usize;
            let start = u64::from(interval) * 600;
            let legal = k < plain.served.len()
                && secs > 0
                && at >= start
                && at < start + plain.lengths[k] + 600
                && u64::from(secs) <= (at - start).min(plain.lengths[k])
                && (highest.is_none_or(|last| k > last) || (plain.served[k] > 0 && u64::from(secs) >= plain.served[k]));
            prop_assert_eq!(accepted, legal);
            if accepted {
                plain.served[k] = u64::from(secs);
            }
            if fold {
                lease.fold(&moment(now)).unwrap();
                let mature = plain.past(at, 600 + 3_600);
                prop_assert_eq!(lease.ring_base as usize, mature);
                prop_assert_eq!(lease.matured_secs, plain.served[..mature].iter().sum::<u64>());
                prop_assert_eq!(lease.missed_secs, plain.unserved(mature));
            }
            prop_assert_eq!(lease.closed_intervals(now) as usize, plain.past(at, 600));
            prop_assert_eq!(lease.unserved_secs(now), plain.unserved(plain.past(at, 600)));
            prop_assert!((lease.ring_next.saturating_sub(lease.ring_base) as usize) <= RING);
        }
        let end = u64::from(duration) + 600 + 3_600;
        lease.fold(&moment(1 + i64::try_from(at.max(end)).unwrap())).unwrap();
        prop_assert_eq!(lease.matured_secs + lease.missed_secs, u64::from(duration));
        prop_assert_eq!(lease.matured_secs, plain.served.iter().sum::<u64>());
    }
}

#[test]
fn both_profiles_are_within_the_bounds_of_proposals() {
    Params::mainnet().validate(PROFILE_MAINNET).unwrap();
    Params::local().validate(PROFILE_LOCAL).unwrap();
    assert!(Params::local().validate(PROFILE_MAINNET).is_err());
}
