pub mod appeal_case;
pub mod decide_case;
pub mod open_case;

pub use {appeal_case::*, decide_case::*, open_case::*};
