use anchor_lang::prelude::*;

use super::propose::Propose;
use crate::events::ParamsProposed;
use crate::state::Params;
use crate::{clock, emit_event};

/// Names new parameters; they can take effect after the timelock. Network authority. Overwrites an earlier proposal.
pub fn handler(ctx: &mut Context<Propose>, params: Params) -> Result<()> {
    let now = clock::now()?;
    let network = &mut ctx.accounts.network;
    params.validate(network.profile)?;
    let effective_at = network.effective_at(now)?;
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
