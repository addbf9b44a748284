//! What happened, in the past tense. Each event carries the `seq` of the entity it belongs to: a hole proves a loss.
//! Amounts are base units; times unix seconds.

mod case;
mod cluster;
mod iosd;
mod lease;
mod network;
mod node;
mod owed;
mod stake;

pub use {case::*, cluster::*, iosd::*, lease::*, network::*, node::*, owed::*, stake::*};
