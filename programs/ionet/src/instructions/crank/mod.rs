pub mod burn;
pub mod buyback;
pub mod cancel_lease;
pub mod claim_owed;
pub mod close_cluster;
pub mod close_lease;
pub mod close_stake_vault;
pub mod open_owed;
pub mod push_unbond;
pub mod refresh_price;
pub mod report_missed;
pub mod settle_lease;

pub use {
    burn::*, buyback::*, cancel_lease::*, claim_owed::*, close_cluster::*, close_lease::*, close_stake_vault::*,
    open_owed::*, push_unbond::*, refresh_price::*, report_missed::*, settle_lease::*,
};
