pub mod claim_owed;
pub mod open_owed;

pub use {claim_owed::*, open_owed::*};
