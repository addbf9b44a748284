//! One account type per file; seeds and rules stand beside the type.

pub mod case;
pub mod cluster;
pub mod device_model;
pub mod dispute;
pub mod iosd;
pub mod lease;
pub mod network;
pub mod node;
pub mod params;
pub mod pool;
pub mod renter;
pub mod rewards;
pub mod ring;
pub mod stake_position;

pub use {
    case::*, cluster::*, device_model::*, iosd::*, lease::*, network::*, node::*, params::*, pool::*, renter::*,
    stake_position::*,
};
