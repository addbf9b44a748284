use core::mem;

use anchor_lang::prelude::*;
use bytemuck::Zeroable;

use crate::error::IonetError;
use crate::events::{ParamsChanged, RoleChanged};
use crate::state::{Network, Params, NETWORK_ROLE_ARBITER, NETWORK_ROLE_AUTHORITY, NETWORK_ROLE_PAUSER};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct ApplyPending {
    /// Anyone; a new authority must sign itself.
    pub caller: Signer,
    /// Roles and parameters.
    #[account(mut, seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
}

/// Puts everything that is due into effect. Anyone; a new authority only by itself, so that it cannot be handed to a
/// key that nobody holds, and it starts with nothing pending.
pub fn handler(ctx: &mut Context<ApplyPending>) -> Result<()> {
    let now = clock::now()?;
    let caller = *ctx.accounts.caller.address();
    let network = &mut ctx.accounts.network;
    let (params_pending, role) = (network.pending_effective_at != 0, network.pending_role);
    require!(params_pending || role != 0, IonetError::NothingPending);
    let params_due = params_pending && now >= network.pending_effective_at;
    let role_due = role != 0 && now >= network.pending_role_at;
    require!(params_due || role_due, IonetError::TimelockRunning);
    let may_take = role != NETWORK_ROLE_AUTHORITY || caller == network.pending_authority;
    require!(params_due || may_take, IonetError::NotPendingAuthority);

    if role_due && may_take {
        let (before, after) = replace(network, role)?;
        let (key, seq) = (*network.address(), network.next_seq()?);
        emit_event!(ctx, RoleChanged { network: key, seq, at: now, role, before, after });
        if role == NETWORK_ROLE_AUTHORITY {
            return Ok(());
        }
    }
    if params_due {
        let network = &mut ctx.accounts.network;
        let params = network.pending;
        network.params = params;
        network.pending = Params::zeroed();
        network.pending_effective_at = 0;
        let (key, seq) = (*network.address(), network.next_seq()?);
        emit_event!(ctx, ParamsChanged { network: key, seq, at: now, params: bytemuck::cast(params) });
    }
    Ok(())
}

/// Puts the pending holder in; returns the earlier one and the new one.
fn replace(network: &mut Network, role: u8) -> Result<([u8; 32], [u8; 32])> {
    if role == NETWORK_ROLE_AUTHORITY {
        let before = network.authority.to_bytes();
        network.hand_over()?;
        return Ok((before, network.authority.to_bytes()));
    }
    let after = mem::take(&mut network.pending_value);
    network.pending_role = 0;
    network.pending_role_at = 0;
    let before = match role {
        NETWORK_ROLE_PAUSER => mem::replace(&mut network.pauser, Address::from(after)).to_bytes(),
        NETWORK_ROLE_ARBITER => mem::replace(&mut network.arbiter, Address::from(after)).to_bytes(),
        _ => mem::replace(&mut network.feed_id, after),
    };
    Ok((before, after))
}
