use anchor_lang::prelude::*;

use super::propose::Propose;
use crate::error::IonetError;
use crate::events::RoleProposed;
use crate::state::{NETWORK_ROLE_ARBITER, NETWORK_ROLE_AUTHORITY, NETWORK_ROLE_FEED, NETWORK_ROLE_PAUSER};
use crate::{clock, emit_event, nonce};

/// Names the next holder of a role, or the next oracle feed; it can take effect after the timelock. Network authority.
/// One change at a time: a new one overwrites. Pauser and arbiter may be set to zero, then nobody is.
pub fn handler(ctx: &mut Context<Propose>, role: u8, value: [u8; 32]) -> Result<()> {
    require!((NETWORK_ROLE_AUTHORITY..=NETWORK_ROLE_FEED).contains(&role), IonetError::UnknownRole);
    require!(role == NETWORK_ROLE_PAUSER || role == NETWORK_ROLE_ARBITER || value != [0; 32], IonetError::ZeroHash);
    nonce::refuse(&ctx.accounts.instructions)?;
    let now = clock::now()?;
    let network = &mut ctx.accounts.network;
    let effective_at = network.role_effective_at(role, now)?;
    let (successor, other) = if role == NETWORK_ROLE_AUTHORITY { (value, [0; 32]) } else { ([0; 32], value) };
    network.pending_authority = Address::from(successor);
    network.pending_value = other;
    network.pending_role = role;
    network.pending_role_at = effective_at;
    let proposed =
        RoleProposed { network: *network.address(), seq: network.next_seq()?, at: now, role, value, effective_at };
    emit_event!(ctx, proposed);
    Ok(())
}
