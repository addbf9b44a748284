//! Stake behind nodes: share pools, stakers' positions, rewards.

pub mod income;
pub mod pool;
pub mod position;
pub mod rewards;
