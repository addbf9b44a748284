use anchor_lang::prelude::*;

use crate::constants::BPS;
use crate::error::IonetError;
use crate::events::CoStakeTermsChanged;
use crate::state::{Network, Node, NODE_FLAG_RETIRED};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct SetCoStakeTerms {
    /// The node's owner.
    pub owner: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
}

/// Sets the parts that co-stakers get of rewards (of what falls on their shares) and of leases' income (divided over all
/// bonded shares), in basis points; with both at 0 no stranger can stake. Owner. Better terms bind at once, worse ones
/// after the notice; what was pending before is dropped. A locked payout's income cannot be shared further.
pub fn handler(ctx: &mut Context<SetCoStakeTerms>, share_bps: u16, income_share_bps: u16) -> Result<()> {
    require!(u64::from(share_bps.max(income_share_bps)) <= BPS, IonetError::BadParams);
    let now = clock::now()?;
    let notice_over = math::add_time(now, u64::from(ctx.accounts.network.params.terms_notice_secs))?;
    let node = &mut ctx.accounts.node;
    require!(node.flags & NODE_FLAG_RETIRED == 0, IonetError::NodeRetired);
    let share_before = node.co_share(now);
    let income_share_before = node.income_share_bps;
    require!(!node.is_locked(now) || income_share_bps <= income_share_before, IonetError::PayoutLocked);
    node.set_co_terms(share_bps, income_share_bps, notice_over);
    let changed = CoStakeTermsChanged {
        node: *node.address(),
        seq: node.next_seq()?,
        at: now,
        share_before,
        share: node.co_share_bps,
        income_share_before,
        income_share: node.income_share_bps,
        pending_share: node.pending_co_share_bps,
        pending_income_share: node.pending_income_share_bps,
        pending_at: node.pending_co_share_at,
    };
    emit_event!(ctx, changed);
    Ok(())
}
