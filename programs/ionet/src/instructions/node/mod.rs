pub mod lock_payout;
pub mod pause_node;
pub mod register_node;
pub mod release_payout;
pub mod retire_node;
pub mod return_node;
pub mod rotate_device_key;
pub mod update_node;

pub use {
    lock_payout::*, pause_node::*, register_node::*, release_payout::*, retire_node::*, return_node::*,
    rotate_device_key::*, update_node::*,
};
