pub mod accept_ready;
pub mod add_lease;
pub mod approve_lease;
pub mod dispute_lease;
pub mod end_lease;
pub mod extend_lease;
pub mod mint_iosd;
pub mod mint_iosd_exact;
pub mod open_cluster;
pub mod redeem_iosd;
pub mod set_session_key;
pub mod withdraw_budget;

pub use {
    accept_ready::*, add_lease::*, end_lease::*, extend_lease::*, mint_iosd::*, open_cluster::*, redeem_iosd::*,
    set_session_key::*, withdraw_budget::*,
};
