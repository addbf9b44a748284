use anchor_lang::prelude::*;

use super::propose::Propose;
use crate::events::ParamsProposed;
use crate::state::Params;
use crate::{clock, emit_event, math, nonce};

/// Names new parameters; they can take effect after the timelock, and later where they touch stake or
/// redemption. Network authority. Overwrites an earlier proposal.
pub fn handler(ctx: &mut Context<Propose>, params: Params) -> Result<()> {
    nonce::refuse(&ctx.accounts.instructions)?;
    let now = clock::now()?;
    let network = &mut ctx.accounts.network;
    params.validate(network.profile)?;
    let effective_at = math::add_time(now, u64::from(network.params.wait_for(&params)))?;
    network.pending = params;
    network.pending_effective_at = effective_at;
    let proposed = ParamsProposed {
        network: *network.address(),
        seq: network.next_seq()?,
        at: now,
        effective_at,
        params: bytemuck::cast(params),
    };
    emit_event!(ctx, proposed);
    Ok(())
}
