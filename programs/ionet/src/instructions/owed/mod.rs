pub mod claim_owed;
pub mod collect_owed;
pub mod open_owed;

pub use {claim_owed::*, collect_owed::*, open_owed::*};
