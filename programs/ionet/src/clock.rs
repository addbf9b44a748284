//! The time of an instruction: unix seconds, slot, and the slot of the chain's last restart.

use anchor_lang::prelude::*;
use pinocchio::sysvars::get_sysvar;

use crate::error::IonetError;
use crate::math;

const LAST_RESTART_SLOT: Address = anchor_lang::address!("SysvarLastRestartS1ot1111111111111111111111");

/// When an instruction runs, by every measure that a lease knows.
#[derive(Clone, Copy)]
pub struct Moment {
    /// Unix seconds. After a halt they have run on, though nobody could act.
    pub now: i64,
    pub slot: u64,
    /// Slot of the last restart of the chain, 0 if there was none.
    pub restart_slot: u64,
}

impl Moment {
    /// Seconds since a moment, as the smaller of the clock's and the slots'.
    pub fn since(&self, at: i64, at_slot: u64, slot_ms: u32) -> u64 {
        math::elapsed(at, at_slot, self.now, self.slot, slot_ms)
    }

    /// What is left of the `recovery_secs` after a restart, counted in slots; 0 = no restart, or long ago.
    pub fn recovery_left(&self, recovery_secs: u32, slot_ms: u32) -> u64 {
        if self.restart_slot == 0 {
            return 0;
        }
        u64::from(recovery_secs).saturating_sub(math::slots_secs(self.restart_slot, self.slot, slot_ms))
    }
}

/// Unix seconds and slot.
pub fn now_and_slot() -> Result<(i64, u64)> {
    let clock = Clock::get()?;
    Ok((clock.unix_timestamp, clock.slot))
}

pub fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}

#[inline(never)]
pub fn moment() -> Result<Moment> {
    let clock = Clock::get()?;
    Ok(Moment { now: clock.unix_timestamp, slot: clock.slot, restart_slot: last_restart_slot()? })
}

#[inline(never)]
fn last_restart_slot() -> Result<u64> {
    let mut slot = [0u8; 8];
    get_sysvar(&mut slot, &LAST_RESTART_SLOT, 0).map_err(|_| IonetError::Overflow)?;
    Ok(u64::from_le_bytes(slot))
}
