//! Events as self-CPIs, signed by the event authority: nobody can fake them and no log limit can cut them off.
//! The same bytes as Anchor's `emit_cpi!`, which builds its CPI on the heap at every call site; this one is a function.

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::prelude::*;
use anchor_lang::unchecked_invoke_signed_fixed;
use pinocchio::instruction::InstructionAccount;

/// Sends `event` to this program's own event instruction. `bump` is the event authority's.
#[inline(always)]
pub fn emit<E: Event>(program: &Address, authority: &UncheckedAccount, bump: u8, event: &E) {
    send(program, authority, bump, &event.data());
}

#[inline(never)]
fn send(program: &Address, authority: &UncheckedAccount, bump: u8, event: &[u8]) {
    let data = [EVENT_IX_TAG_LE, event].concat();
    let accounts = [InstructionAccount::readonly_signer(authority.address())];
    let handles = [authority.cpi_handle()];
    unchecked_invoke_signed_fixed(program, &data, &accounts, &handles, &[&[b"__event_authority", &[bump]]]);
}

/// `emit_event!(ctx, Event { … })`
#[macro_export]
macro_rules! emit_event {
    ($ctx:ident, $event:expr) => {
        $crate::emit::emit($ctx.program_id, &$ctx.accounts.event_authority, $ctx.bumps.event_authority, &$event)
    };
}
