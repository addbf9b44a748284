pub mod appeal_case;
pub mod append_proof;
pub mod defend_lease;
pub mod leave_lease;
pub mod mark_ready;
pub mod pause_node;
pub mod quit_lease;
pub mod register_node;
pub mod retire_node;
pub mod rotate_device_key;
pub mod set_co_stake_terms;
pub mod update_node;

pub use {
    appeal_case::*, append_proof::*, defend_lease::*, mark_ready::*, pause_node::*, quit_lease::*, register_node::*,
    retire_node::*, rotate_device_key::*, set_co_stake_terms::*, update_node::*,
};
