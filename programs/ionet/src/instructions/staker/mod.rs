pub mod request_unbond;
pub mod stake;
pub mod withdraw;

pub use {request_unbond::*, stake::*, withdraw::*};
