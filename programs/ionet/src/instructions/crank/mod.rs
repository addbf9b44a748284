pub mod burn;
pub mod buyback;
pub mod cancel_lease;
pub mod close_cluster;
pub mod close_lease;
pub mod defend_lease;
pub mod refresh_price;
pub mod report_missed;
pub mod settle_lease;

pub use {
    burn::*, buyback::*, cancel_lease::*, close_cluster::*, close_lease::*, defend_lease::*, refresh_price::*,
    report_missed::*, settle_lease::*,
};
