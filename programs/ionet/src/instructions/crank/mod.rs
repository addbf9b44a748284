pub mod burn;
pub mod cancel_lease;
pub mod close_cluster;
pub mod close_lease;
pub mod report_missed;
pub mod settle_lease;

pub use {burn::*, cancel_lease::*, close_cluster::*, close_lease::*, report_missed::*, settle_lease::*};
