pub mod apply_pending;
pub mod decide_case;
pub mod init_network;
pub mod init_vaults;
pub mod migrate_network;
pub mod open_case;
pub mod propose_params;
pub mod propose_role;
pub mod register_model;
pub mod set_model;
pub mod set_pause;

pub use {
    apply_pending::*, decide_case::*, init_network::*, init_vaults::*, migrate_network::*, open_case::*,
    propose_params::*, register_model::*, set_model::*, set_pause::*,
};
