//! Events as self-CPIs, signed by the event authority: nobody can fake them and no log limit can cut them off.
//! The same bytes as Anchor's `emit_cpi!`, which builds its CPI on the heap at every call site; this one is a function.

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::prelude::*;
use anchor_lang::wincode::config::serialize_into;
use anchor_lang::wincode::SchemaWrite;
use anchor_lang::{unchecked_invoke_signed_fixed, BorshConfig, Discriminator, BORSH_CONFIG};
use pinocchio::instruction::InstructionAccount;

use crate::error::IonetError;

/// Room for every event: growing costs more than what stays empty.
const ROOM: usize = 512;

/// Sends `event` to this program's own event instruction. `bump` is the event authority's.
#[inline(always)]
pub fn emit<E>(program: &Address, authority: &UncheckedAccount, bump: u8, event: &E) -> Result<()>
where
    E: Event + Discriminator + SchemaWrite<BorshConfig, Src = E>,
{
    let mut data = begin(E::DISCRIMINATOR);
    serialize_into(&mut data, event, BORSH_CONFIG).map_err(|_| IonetError::Overflow)?;
    send(program, authority, bump, &data);
    Ok(())
}

#[inline(never)]
fn begin(discriminator: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(ROOM);
    data.extend_from_slice(EVENT_IX_TAG_LE);
    data.extend_from_slice(discriminator);
    data
}

#[inline(never)]
fn send(program: &Address, authority: &UncheckedAccount, bump: u8, data: &[u8]) {
    let accounts = [InstructionAccount::readonly_signer(authority.address())];
    let handles = [authority.cpi_handle()];
    unchecked_invoke_signed_fixed(program, data, &accounts, &handles, &[&[b"__event_authority", &[bump]]]);
}

/// `emit_event!(ctx, Event { … })`
#[macro_export]
macro_rules! emit_event {
    ($ctx:ident, $event:expr) => {
        $crate::emit::emit($ctx.program_id, &$ctx.accounts.event_authority, $ctx.bumps.event_authority, &$event)?
    };
}
