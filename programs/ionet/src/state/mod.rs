//! Account types by noun; seeds and rules are beside the type.
//!
//! Seeds are named here for signing and written out once more in `seeds = [b"…"]`: Anchor's IDL cannot resolve a path
//! there, and clients derive addresses from the IDL. `tests/program/test_seeds.py` compares both.

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
    network::{device_model::*, params::*, *},
    node::*,
    stake::{pool::*, position::*},
};
