pub mod pause_node;
pub mod register_node;
pub mod retire_node;
pub mod return_node;
pub mod rotate_device_key;
pub mod update_node;

pub use {pause_node::*, register_node::*, retire_node::*, return_node::*, rotate_device_key::*, update_node::*};
