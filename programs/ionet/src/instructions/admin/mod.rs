pub mod init_network;
pub mod init_vaults;
pub mod register_model;
pub mod set_pause;

pub use {init_network::*, init_vaults::*, register_model::*, set_pause::*};
