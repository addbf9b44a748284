use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::NodeUpdated;
use crate::state::{Node, NodeTerms};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct UpdateNode {
    /// The node's owner.
    pub owner: Signer,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
}

pub fn handler(ctx: &mut Context<UpdateNode>, terms: NodeTerms) -> Result<()> {
    let now = clock::now()?;
    let node = &mut ctx.accounts.node;
    let price_before = node.price;
    node.set_terms(&terms, now)?;
    let seq = node.next_seq()?;
    let terms_seq = node.terms_seq;
    emit_event!(
        ctx,
        NodeUpdated {
            node: *ctx.accounts.node.address(),
            seq,
            at: now,
            payout: terms.payout,
            fee_payer: terms.fee_payer,
            price_before,
            price: terms.price,
            min_duration: terms.min_duration,
            max_duration: terms.max_duration,
            min_coverage_bps: terms.min_coverage_bps,
            country: terms.country,
            region: terms.region,
            currencies: terms.currencies,
            terms_seq,
        }
    );
    Ok(())
}
