"""Shares of a pool of stake, and what stake counts for, by the program's own arithmetic (`state/stake/`). Pure.

Amounts are base units of IO. Virtual shares and assets keep the first depositor from setting the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from ionet.generated.enums import PERCENT, REWARD_SCALE, VIRTUAL_ASSETS, VIRTUAL_SHARES


@dataclass
class Pool:
    """A pool between two slashes: its stake, and the claims on it."""

    amount: int
    shares: int

    def deposit(self, amount: int) -> int:
        """Add stake; returns the new shares, rounded down."""
        made = amount * (self.shares + VIRTUAL_SHARES) // (self.amount + VIRTUAL_ASSETS)
        self.amount, self.shares = self.amount + amount, self.shares + made
        return made

    def worth(self, shares: int) -> int:
        """What shares are worth, rounded down and never more than the pool."""
        return min(self.amount, shares * (self.amount + VIRTUAL_ASSETS) // (self.shares + VIRTUAL_SHARES))

    def redeem(self, shares: int) -> int:
        """Burn shares; returns what they were worth."""
        worth = self.worth(shares)
        self.amount, self.shares = self.amount - worth, self.shares - shares
        return worth

    def shares_for(self, amount: int, held: int) -> int:
        """Shares to burn so that at least `amount` leaves, rounded up; all that is `held` when they are worth less."""
        if amount >= self.worth(held):
            return held
        return min(held, -(-amount * (self.shares + VIRTUAL_SHARES) // (self.amount + VIRTUAL_ASSETS)))


def required_stake(stake_per_processor: int, multiplier: int, processors: int) -> int:
    """What a node must have bonded to be hired. multiplier: × 100, never counted below 1."""
    return -(-stake_per_processor * max(multiplier, PERCENT) * processors // PERCENT)


def counted_stake(pool: Pool, owner_shares: int, co_max_percent: int) -> int:
    """Bonded stake that counts: the owner's, and co-stake up to its part of the two together."""
    owner = pool.amount if owner_shares == pool.shares > 0 else pool.worth(owner_shares)
    return owner + min(pool.amount - owner, owner * co_max_percent // (PERCENT - co_max_percent))


def settled_rewards(shares: int, reward_per_share: int, reward_debt: int) -> int:
    """What a co-staker's shares earned since the accumulator stood at `reward_debt`, rounded down."""
    return shares * (reward_per_share - reward_debt) // REWARD_SCALE
