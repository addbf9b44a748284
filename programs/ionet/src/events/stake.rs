//! Stake coming and going; numbered by the node.

use anchor_lang::prelude::*;

#[event]
pub struct Staked {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    pub shares: u128,
    pub bonded_before: u64,
    pub bonded_after: u64,
    pub bonded_shares_after: u128,
    pub era: u32,
}

#[event]
pub struct UnbondRequested {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub ticket: u8,
    pub amount: u64,
    pub shares_burned: u128,
    pub ticket_shares: u128,
    pub ticket_era: u32,
    pub matures_at: i64,
    /// The owner's also waits for the lease that runs, at the latest until then; unix seconds, 0 = for none.
    pub lease_over_by: i64,
    pub bonded_after: u64,
    pub unbonding_after: u64,
}

#[event]
pub struct StakeWithdrawn {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    /// Bit i = ticket i was paid.
    pub tickets: u8,
    pub unbonding_before: u64,
    pub unbonding_after: u64,
    pub position_closed: bool,
    /// The amount went to the staker's owed account.
    pub owed: bool,
}

/// Better terms bind at once, worse ones at `pending_at`.
#[event]
pub struct CoStakeTermsChanged {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub share_before: u16,
    pub share: u16,
    pub income_share_before: u16,
    pub income_share: u16,
    pub pending_share: u16,
    pub pending_income_share: u16,
    /// 0 = nothing pending.
    pub pending_at: i64,
}

/// The owner put IO in while the node was frozen (outside the shares), or staked it afterwards (`amount` 0).
#[event]
pub struct StakeRefilled {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub owner: Address,
    pub amount: u64,
    pub refill_after: u64,
}

#[event]
pub struct RewardsAdded {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub by: Address,
    pub amount: u64,
    pub to_owner: u64,
    pub to_co_stakers: u64,
    pub owner_rewards_after: u64,
    pub co_rewards_after: u64,
    pub reward_per_share: u128,
}

#[event]
pub struct RewardsClaimed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub amount: u64,
    pub owed: bool,
    pub owner_rewards_after: u64,
    pub co_rewards_after: u64,
}

/// Stakers share in income of this mint from now on, if the owner's terms say so.
#[event]
pub struct IncomeVaultOpened {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub mint: Address,
    pub vault: Address,
}

/// A settlement handed a part of a lease's income to the bonded pool.
#[event]
pub struct IncomeShared {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub lease: Address,
    pub mint: Address,
    /// Handed over now; the owner's part of it stayed with the payout.
    pub amount: u64,
    pub to_co_stakers: u64,
    /// The vault could not receive it: it waits in the node's owed account.
    pub owed: bool,
    pub co_income_after: u64,
    pub income_per_share: u128,
}

#[event]
pub struct IncomeClaimed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub position: Address,
    pub staker: Address,
    pub mint: Address,
    pub amount: u64,
    pub owed: bool,
    pub co_income_after: u64,
}

/// A retired node's income vault was emptied and closed.
#[event]
pub struct IncomeVaultClosed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    pub mint: Address,
    /// Tokens beyond the books; they went to the fee vault.
    pub surplus: u64,
    /// What the fee vault could not receive of them: it waits in the network's owed account.
    pub fees_owed: u64,
}

/// A retired node's vault was emptied and closed.
#[event]
pub struct StakeVaultClosed {
    pub node: Address,
    pub seq: u64,
    pub at: i64,
    /// Tokens beyond the books; they went to the burn vault.
    pub surplus: u64,
}
