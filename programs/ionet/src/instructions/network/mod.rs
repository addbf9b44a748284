pub mod apply_model;
pub mod apply_pending;
pub mod init_network;
pub mod init_vaults;
pub mod propose;
pub mod propose_model;
pub mod propose_params;
pub mod propose_role;
pub mod register_model;
pub mod set_model;
pub mod set_pause;

pub use {
    apply_model::*, apply_pending::*, init_network::*, init_vaults::*, propose::*, propose_model::*, register_model::*,
    set_model::*, set_pause::*,
};
