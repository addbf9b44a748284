//! One instruction per file, by noun, as events and state are. Who may call each: `docs/authorities.md`.

pub mod case;
pub mod cluster;
pub mod iosd;
pub mod lease;
pub mod network;
pub mod node;
pub mod owed;
pub mod stake;

pub use {case::*, cluster::*, iosd::*, lease::*, network::*, node::*, owed::*, stake::*};
