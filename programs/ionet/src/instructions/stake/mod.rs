pub mod claim_income;
pub mod claim_rewards;
pub mod close_income_vault;
pub mod close_stake_vault;
pub mod fund_rewards;
pub mod open_income_vault;
pub mod push_unbond;
pub mod request_unbond;
pub mod set_co_stake_terms;
// The noun and one of its verbs are the same word.
#[allow(clippy::module_inception)]
pub mod stake;
pub mod withdraw;

pub use {
    claim_income::*, claim_rewards::*, close_income_vault::*, close_stake_vault::*, fund_rewards::*,
    open_income_vault::*, push_unbond::*, request_unbond::*, set_co_stake_terms::*, stake::*, withdraw::*,
};
