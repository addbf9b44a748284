//! One instruction per file, grouped by who calls it.

pub mod admin;
pub mod crank;
pub mod renter;
pub mod staker;
pub mod supplier;

pub use {admin::*, crank::*, renter::*, staker::*, supplier::*};
