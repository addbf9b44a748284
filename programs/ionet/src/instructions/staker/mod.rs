pub mod claim_rewards;
pub mod fund_rewards;
pub mod request_unbond;
pub mod stake;
pub mod withdraw;

pub use {claim_rewards::*, fund_rewards::*, request_unbond::*, stake::*, withdraw::*};
