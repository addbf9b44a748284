//! Durable nonces: a transaction signed today that can be sent at any time later. Nothing that an authority signs may lie
//! in wait like that. A multisig's approvals can be signed ahead in other transactions: against that only the timelock
//! helps.

use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::Instructions;

use crate::error::IonetError;

/// `AdvanceNonceAccount` of the System program, the first bytes of its data; more may follow.
const ADVANCE: [u8; 4] = 4u32.to_le_bytes();
const SYSTEM: Address = Address::new_from_array([0; 32]);

/// Refuses a transaction whose first instruction advances a nonce: that alone makes it durable. The sysvar shows the top
/// level, so a call from another program hides nothing.
#[inline(never)]
pub fn refuse(sysvar: &UncheckedAccount) -> Result<()> {
    let instructions = Instructions::try_from(sysvar.account()).map_err(|_| IonetError::DurableNonce)?;
    let first = instructions.load_instruction_at(0).map_err(|_| IonetError::DurableNonce)?;
    let is_durable = *first.get_program_id() == SYSTEM && first.get_instruction_data().starts_with(&ADVANCE);
    require!(!is_durable, IonetError::DurableNonce);
    Ok(())
}
