//! Properties of IOSD: nobody gains by minting and redeeming without the price moving, and the limiter's bucket.

use bytemuck::Zeroable;
use proptest::prelude::*;

use crate::constants::BPS;
use crate::oracle::Price;
use crate::state::{Iosd, Params};

const MOST_IO: u64 = 800_000_000 * 100_000_000;
const HOUR: u64 = 3_600;

/// Prices from a hundredth of a cent to ten thousand dollars, as uncertain as one percent, in several exponents.
fn prices() -> impl Strategy<Value = Price> {
    (0..=4u32, 10_000..10u64.pow(12), 5_000..20_000u64, 0..=100u64).prop_map(|(fewer, price, ema_bps, conf_bps)| {
        let price = price / 10u64.pow(fewer) + 1;
        let ema = (price * ema_bps / BPS).max(1);
        let conf = price.min(ema) * conf_bps / BPS;
        Price::of(price, ema, conf, -8 + i32::try_from(fewer).unwrap())
    })
}

/// What books after others have minted and redeemed consist of: minted, redeemed, IO burned, IO redeemed.
fn entries() -> impl Strategy<Value = [u64; 4]> {
    (1..10u64.pow(16), 0..=10u64.pow(16), 0..=BPS, 0..=BPS).prop_map(|(minted, burned, left_bps, backed_bps)| {
        [minted, part(minted, BPS - left_bps), burned, part(burned, BPS - backed_bps)]
    })
}

fn books([minted, redeemed, io_burned, io_redeemed]: [u64; 4]) -> Iosd {
    let mut iosd = Iosd::zeroed();
    (iosd.minted, iosd.redeemed, iosd.io_burned, iosd.io_redeemed) = (minted, redeemed, io_burned, io_redeemed);
    iosd
}

fn part(of: u64, bps: u64) -> u64 {
    u64::try_from(u128::from(of) * u128::from(bps) / u128::from(BPS)).unwrap()
}

/// The program refuses to redeem nothing.
fn redeem(iosd: &mut Iosd, price: &Price, amount: u64, spread_bps: u16) -> u64 {
    if amount == 0 {
        return 0;
    }
    let Ok(worth) = price.io_out(amount) else { return 0 };
    let io = iosd.redeem_out(amount, worth, spread_bps).unwrap();
    iosd.redeemed += amount;
    iosd.io_redeemed += io;
    io
}

proptest! {
    /// What an exact amount costs is enough for it, and one base unit less is not.
    #[test]
    fn an_exact_amount_is_never_cheaper(price in prices(), iosd in 1..10u64.pow(15), spread_bps in 0..=500u16) {
        let Ok(io) = price.mint_in(iosd, spread_bps) else { return Ok(()) };
        prop_assume!(io <= MOST_IO);
        prop_assert!(price.mint_out(io, spread_bps).unwrap() >= iosd);
        prop_assert!(io == 0 || price.mint_out(io - 1, spread_bps).unwrap() < iosd);
    }

    /// Nor is the amount that some IO mints cheaper when it is asked for by itself.
    #[test]
    fn nor_dearer(price in prices(), io in 1..MOST_IO, spread_bps in 0..=500u16) {
        let Ok(iosd) = price.mint_out(io, spread_bps) else { return Ok(()) };
        prop_assert!(price.mint_in(iosd, spread_bps).unwrap() <= io);
    }

    /// While the price stays, minting and then redeeming it, at once or in parts, returns less IO than it took,
    /// whatever the books were, and whoever redeemed in between.
    #[test]
    fn there_and_back_never_pays(
        price in prices(),
        entries in entries(),
        io in 1..MOST_IO,
        parts in prop::collection::vec(1..=BPS, 1..5),
        others in 0..10u64.pow(15),
        spread_bps in 0..=500u16,
    ) {
        let Ok(mut held) = price.mint_out(io, spread_bps) else { return Ok(()) };
        prop_assume!(held > 0);
        let mut iosd = books(entries);
        iosd.minted += held;
        iosd.io_burned += io;
        let mut back = 0;
        let between = others.min(iosd.supply().unwrap() - held);
        redeem(&mut iosd, &price, between, spread_bps);
        for bps in parts {
            let amount = part(held, bps);
            back += redeem(&mut iosd, &price, amount, spread_bps);
            held -= amount;
        }
        back += redeem(&mut iosd, &price, held, spread_bps);
        prop_assert!(back <= io);
        prop_assert!(spread_bps == 0 || back < io);
    }

    /// Redemptions never take more than there is, and who redeems leaves those who stay no worse covered.
    #[test]
    fn who_stays_is_covered_as_before(price in prices(), entries in entries(), amount: u64, spread_bps in 0..=500u16) {
        let mut iosd = books(entries);
        let supply = iosd.supply().unwrap();
        prop_assume!(supply > 1);
        let amount = amount % (supply - 1) + 1;
        let (backing, left) = (u128::from(iosd.backing().unwrap()), u128::from(supply - amount));
        redeem(&mut iosd, &price, amount, spread_bps);
        prop_assert!(u128::from(iosd.backing().unwrap()) * u128::from(supply) >= backing * left);
    }

    /// However it is split, what passes within `secs` of a full bucket is at most the limit and what leaked meanwhile.
    #[test]
    fn no_more_than_the_limit_and_what_leaks(
        supply in 0..10u64.pow(14),
        steps in prop::collection::vec((0..1_000u64, 1..2 * 10u64.pow(12)), 1..40),
    ) {
        let params = Params::mainnet();
        let mut iosd = Iosd::zeroed();
        iosd.minted = supply;
        let most = (supply / 10).max(params.redeem_floor);
        let (mut at, mut passed, mut started) = (1_800_000_000u64, 0u128, None);
        for (wait, amount) in steps {
            at += wait;
            let mut tried = iosd;
            if tried.limit_redeem(amount, &params, i64::try_from(at).unwrap(), 4 * at).is_err() {
                prop_assert!(iosd.redeem_window_amount + amount > most);
                continue;
            }
            iosd = tried;
            passed += u128::from(amount);
            let since = at - *started.get_or_insert(at);
            prop_assert!(iosd.redeem_window_amount <= most);
            prop_assert!(passed <= u128::from(most) + u128::from(most) * u128::from(since) / u128::from(HOUR));
        }
        // After a whole window it is empty again.
        iosd.limit_redeem(most, &params, i64::try_from(at + HOUR).unwrap(), 4 * (at + HOUR)).unwrap();
    }

    /// The two limits are counted apart.
    #[test]
    fn mints_use_up_nothing_of_redemptions(amount in 1..=10u64.pow(12)) {
        let params = Params::mainnet();
        let mut iosd = Iosd::zeroed();
        iosd.limit_mint(amount, &params, 1_800_000_000, 7).unwrap();
        prop_assert_eq!(iosd.redeem_window_amount, 0);
        iosd.limit_redeem(params.redeem_floor, &params, 1_800_000_000, 7).unwrap();
    }
}
