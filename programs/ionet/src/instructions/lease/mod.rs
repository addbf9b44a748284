pub mod accept_ready;
pub mod add_lease;
pub mod append_proof;
pub mod approve_lease;
pub mod cancel_lease;
pub mod cancelling;
pub mod close_lease;
pub mod defend_lease;
pub mod dispute_lease;
pub mod end_lease;
pub mod extend_lease;
pub mod leave_lease;
pub mod mark_ready;
pub mod quit_lease;
pub mod reject_ready;
pub mod report_missed;
pub mod session;
pub mod settle_lease;

pub use {
    add_lease::*, append_proof::*, cancel_lease::*, close_lease::*, defend_lease::*, end_lease::*, extend_lease::*,
    leave_lease::*, mark_ready::*, quit_lease::*, reject_ready::*, report_missed::*, session::*, settle_lease::*,
};
