use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::SessionKeyChanged;
use crate::state::Cluster;
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct SetSessionKey {
    /// The cluster's renter.
    pub renter: Signer,
    /// The cluster whose session key changes.
    #[account(mut, constraint(cluster.renter == *renter.address() @ IonetError::NotRenter))]
    pub cluster: Box<Account<Cluster>>,
}

/// Renter; once while a dispute is open.
pub fn handler(ctx: &mut Context<SetSessionKey>, session_key: Address, expires_at: i64) -> Result<()> {
    let now = clock::now()?;
    let cluster = &mut ctx.accounts.cluster;
    let before = cluster.session_key;
    cluster.set_session_key(session_key, expires_at, now)?;
    let seq = cluster.next_seq()?;
    emit_event!(
        ctx,
        SessionKeyChanged {
            cluster: *ctx.accounts.cluster.address(),
            seq,
            at: now,
            before,
            after: session_key,
            expires_at,
        }
    );
    Ok(())
}
