pub mod close_cluster;
pub mod open_cluster;
pub mod set_session_key;
pub mod withdraw_budget;

pub use {close_cluster::*, open_cluster::*, set_session_key::*, withdraw_budget::*};
