//! Account types by noun; seeds and rules are beside the type.
//!
//! The seeds of singletons (the network, the books of IOSD, both mints) are written out in `seeds = [b"…"]`: from a
//! literal Anchor computes the address when it compiles, which saves some 390 compute units wherever it is checked.
//! `tests/program/test_seeds.py` compares these literals with the constants that sign.

mod case;
mod cluster;
mod iosd;
mod lease;
mod network;
mod node;
mod stake;

pub use {
    case::*,
    cluster::{renter::*, *},
    iosd::*,
    lease::{ring::*, *},
    network::{device_model::*, params::bounds::*, params::*, *},
    node::*,
    stake::{income::*, pool::*, position::*},
};
