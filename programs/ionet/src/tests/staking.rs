//! Properties of what stakers share: rewards, the co-stakers' cap, the stake that counts.

use bytemuck::Zeroable;
use proptest::prelude::*;

use crate::constants::{BPS, PERCENT};
use crate::slashing;
use crate::state::{Node, StakePosition};

const STAKERS: usize = 4;
const MOST: u64 = 10u64.pow(15);

/// A node, its owner's position (the first) and three co-stakers', and what the vault would hold.
struct Pot {
    node: Node,
    positions: [StakePosition; STAKERS],
    funded: u64,
    claimed: [u64; STAKERS],
    fundings: u64,
}

impl Pot {
    fn new(share_bps: u16) -> Self {
        let mut node = Node::zeroed();
        node.owner = [1; 32].into();
        node.co_share_bps = share_bps;
        let mut positions = [StakePosition::zeroed(); STAKERS];
        for (i, position) in positions.iter_mut().enumerate() {
            position.staker = [u8::try_from(i).unwrap() + 1; 32].into();
        }
        Self { node, positions, funded: 0, claimed: [0; STAKERS], fundings: 0 }
    }

    fn stake(&mut self, who: usize, amount: u64) {
        let (node, position) = (&mut self.node, &mut self.positions[who]);
        node.settle(position).unwrap();
        let Ok(shares) = node.bonded.deposit(amount) else { return };
        position.shares = (position.shares_in(node.bonded.era) + shares).into();
        position.era = node.bonded.era;
        if who == 0 {
            node.owner_bonded_shares = (node.owner_bonded_shares.get() + shares).into();
        }
    }

    fn leave(&mut self, who: usize, amount: u64) {
        let (node, position) = (&mut self.node, &mut self.positions[who]);
        node.settle(position).unwrap();
        let held = position.shares_in(node.bonded.era);
        let burned = node.bonded.shares_for(amount, held).unwrap();
        node.bonded.redeem(burned).unwrap();
        position.shares = (held - burned).into();
        position.era = node.bonded.era;
        if who == 0 {
            node.owner_bonded_shares = (node.owner_bonded_shares.get() - burned).into();
        }
    }

    fn fund(&mut self, amount: u64) {
        if let Ok((to_owner, to_co)) = self.node.reward(amount, 0) {
            assert_eq!(to_owner + to_co, amount);
            self.funded += amount;
            self.fundings += 1;
        }
    }

    fn claim(&mut self, who: usize) {
        self.claimed[who] += if who == 0 {
            core::mem::take(&mut self.node.owner_rewards)
        } else {
            self.node.claim_co(&mut self.positions[who]).unwrap()
        };
    }

    /// The books add up to the unit, and no position can claim what is not there.
    fn check(&self) {
        let claimed: u64 = self.claimed.iter().sum();
        assert_eq!(self.funded, claimed + self.node.owner_rewards + self.node.co_rewards);
        let settled: u64 = self.positions.iter().map(|position| position.rewards).sum();
        assert_eq!(settled, self.node.co_settled);
        let mut copy = self.node;
        for mut position in self.positions {
            copy.settle(&mut position).unwrap();
        }
        assert!(copy.co_settled <= copy.co_rewards);
    }
}

#[derive(Clone, Debug)]
enum Move {
    Stake(usize, u64),
    Leave(usize, u64),
    Fund(u64),
    Claim(usize),
    Slash(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0..STAKERS, 1..=MOST).prop_map(|(who, amount)| Move::Stake(who, amount)),
        (0..STAKERS, 1..=MOST).prop_map(|(who, amount)| Move::Leave(who, amount)),
        (1..=MOST).prop_map(Move::Fund),
        (0..STAKERS).prop_map(Move::Claim),
        (0..=10_000u16).prop_map(Move::Slash),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    /// Whatever happens between, what was funded is claimed, waits in the books, or is a rounding that stays there.
    #[test]
    fn rewards_are_conserved(share_bps in 0..=10_000u16, moves in moves()) {
        let mut pot = Pot::new(share_bps);
        for step in moves {
            match step {
                Move::Stake(who, amount) => pot.stake(who, amount),
                Move::Leave(who, amount) => pot.leave(who, amount),
                Move::Fund(amount) => pot.fund(amount),
                Move::Claim(who) => pot.claim(who),
                Move::Slash(bps) => {
                    let stake = pot.node.bonded.amount;
                    slashing::take(&mut pot.node, stake, bps).unwrap();
                }
            }
            pot.check();
        }
        (0..STAKERS).for_each(|who| pot.claim(who));
        pot.check();
        prop_assert_eq!(pot.node.owner_rewards + pot.node.co_settled, 0);
    }

    /// Claiming after every funding or once at the end pays the same, but for a unit per claim; and without slashes all
    /// but roundings of what is funded can be claimed.
    #[test]
    fn when_and_in_what_order_rewards_are_claimed_does_not_matter(
        share_bps in 1..=10_000u16,
        stakes in prop::array::uniform4(1..=MOST),
        fundings in prop::collection::vec((1..=MOST, prop::bool::ANY), 1..20),
        reverse in prop::bool::ANY,
    ) {
        let (mut often, mut once) = (Pot::new(share_bps), Pot::new(share_bps));
        for pot in [&mut often, &mut once] {
            stakes.iter().enumerate().for_each(|(who, amount)| pot.stake(who, *amount));
        }
        for (amount, claims) in fundings {
            often.fund(amount);
            once.fund(amount);
            if claims {
                (0..STAKERS).for_each(|who| often.claim(who));
            }
        }
        (0..STAKERS).for_each(|who| often.claim(who));
        (0..STAKERS).for_each(|who| once.claim(if reverse { STAKERS - 1 - who } else { who }));
        for who in 0..STAKERS {
            prop_assert!(once.claimed[who] >= often.claimed[who]);
            prop_assert!(once.claimed[who] - often.claimed[who] <= often.fundings);
        }
        // A funding loses less than a unit per share scaled (shares are below 2^64 here) and each claim less than one.
        for pot in [&often, &once] {
            let shares = u64::try_from(pot.node.bonded.shares.get() >> 64).unwrap() + 1;
            prop_assert!(pot.node.co_rewards <= pot.fundings * (shares + STAKERS as u64));
        }
    }

    /// Everybody gets their share of what falls on their stake; nobody gets a part of what was funded before they came.
    #[test]
    fn rewards_follow_the_stake(share_bps in 0..=10_000u16, owner in 1..=MOST, co in 1..=MOST, amount in 1..=MOST) {
        let mut pot = Pot::new(share_bps);
        pot.stake(0, owner);
        pot.fund(amount);
        pot.stake(1, co);
        prop_assert_eq!((pot.node.owner_rewards, pot.node.co_rewards), (amount, 0));
        pot.fund(amount);
        pot.claim(1);
        let exact = u128::from(amount) * u128::from(co) / u128::from(owner + co) * u128::from(share_bps) / u128::from(BPS);
        let got = u128::from(pot.claimed[1]);
        prop_assert!(got <= exact && exact - got <= 2, "{got} of {exact}");
    }

    /// Co-stake counts up to its part and no more; the owner's leaving is never worth a stake to them.
    #[test]
    fn the_stake_that_counts(owner in 0..=MOST, co in 0..=MOST, percent in 0..=50u8, leave in 1..=MOST) {
        let mut pot = Pot::new(10_000);
        if owner > 0 {
            pot.stake(0, owner);
        }
        if co > 0 {
            pot.stake(1, co);
        }
        let counted = pot.node.counted_stake(percent).unwrap();
        let most = u128::from(owner) * u128::from(PERCENT) / u128::from(PERCENT - u64::from(percent));
        prop_assert_eq!(counted, u64::try_from(most).unwrap().min(owner + co));
        let fits = pot.node.check_co_stake(percent).is_ok();
        prop_assert_eq!(fits, u128::from(co) * 100 <= u128::from(owner + co) * u128::from(percent));
        if fits {
            prop_assert_eq!(counted, owner + co);
        }
        pot.leave(0, leave);
        prop_assert!(pot.node.counted_stake(percent).unwrap() <= counted);
    }

    /// A pool that a stranger may join can be slashed to a millionth before their shares are voided.
    #[test]
    fn no_slash_voids_shares_that_are_worth_something(
        owner in 1..=MOST, slashes in prop::collection::vec(0..=10_000u16, 0..12), co in 1..=MOST, last in 0..=10_000u16,
    ) {
        let mut pot = Pot::new(10_000);
        pot.stake(0, owner);
        for bps in slashes {
            let stake = pot.node.bonded.amount;
            slashing::take(&mut pot.node, stake, bps).unwrap();
        }
        pot.stake(1, co);
        prop_assume!(pot.node.check_co_stake(99).is_ok());
        let (before, era) = (pot.node.bonded.amount, pot.node.bonded.era);
        slashing::take(&mut pot.node, before, last).unwrap();
        prop_assert!(pot.node.bonded.era == era || pot.node.bonded.amount <= before >> 20);
    }
}

#[test]
fn terms_that_fell_due_take_effect_to_the_second() {
    let mut node = Node::zeroed();
    (node.co_share_bps, node.pending_co_share_bps, node.pending_co_share_at) = (5_000, 100, 10);
    assert_eq!(node.co_share(9), 5_000);
    assert_eq!((node.co_share(10), node.pending_co_share_at), (100, 0));
    assert_eq!(node.co_share(9), 100);
}

/// 16,000 IO at the top of the ladder from a pool of which the owner holds two thirds: the owner's part is exact to the
/// unit, so nothing that is owed to the renter is burned.
#[test]
fn owner_part_is_exact() {
    const IO: u64 = 100_000_000;
    let mut pot = Pot::new(5_000);
    pot.stake(0, 32_000 * IO);
    pot.stake(1, 16_000 * IO);
    let slash = slashing::take_amount(&mut pot.node, 16_000 * IO).unwrap();
    assert_eq!(slash.from_owner, 1_066_666_666_666);
}
