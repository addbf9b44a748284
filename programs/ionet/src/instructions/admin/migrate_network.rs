use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::NetworkMigrated;
use crate::state::{Network, Params};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct MigrateNetwork {
    #[account(mut, seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
}

/// Gives a network of version 1 the parameters that came with version 2, from its profile. Anyone; once. Until then they
/// are zero. Version 1 knew no proposals, so none can be pending.
pub fn handler(ctx: &mut Context<MigrateNetwork>) -> Result<()> {
    let now = clock::now()?;
    let network = &mut ctx.accounts.network;
    let version_before = network.version;
    require!(version_before < Network::VERSION, IonetError::AlreadyMigrated);
    let profile = Params::of_profile(network.profile)?;
    network.params.case_window_secs = profile.case_window_secs;
    network.params.mint_floor = profile.mint_floor;
    network.params.redeem_floor = profile.redeem_floor;
    network.params.case_network_cap = profile.case_network_cap;
    network.version = Network::VERSION;
    let migrated = NetworkMigrated {
        network: *network.address(),
        seq: network.next_seq()?,
        at: now,
        version_before,
        version: Network::VERSION,
    };
    emit_event!(ctx, migrated);
    Ok(())
}
