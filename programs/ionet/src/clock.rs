//! The time of an instruction: unix seconds, slot, and the slot of the cluster's last restart.

use anchor_lang::prelude::*;
use pinocchio::sysvars::get_sysvar;

use crate::error::IonetError;

const LAST_RESTART_SLOT: Address = anchor_lang::address!("SysvarLastRestartS1ot1111111111111111111111");

pub fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}

/// Unix seconds and slot.
pub fn now_and_slot() -> Result<(i64, u64)> {
    let clock = Clock::get()?;
    Ok((clock.unix_timestamp, clock.slot))
}

/// Slot of the last restart of the cluster, 0 if there was none.
#[inline(never)]
pub fn last_restart_slot() -> Result<u64> {
    let mut slot = [0u8; 8];
    get_sysvar(&mut slot, &LAST_RESTART_SLOT, 0).map_err(|_| IonetError::Overflow)?;
    Ok(u64::from_le_bytes(slot))
}
