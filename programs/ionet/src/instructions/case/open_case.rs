use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::CaseOpened;
use crate::state::{
    Accusation, Case, Network, Node, CASE_REASON_FALSE_HARDWARE, CASE_REASON_OTHER, NODE_FLAG_FROZEN, NODE_FLAG_RETIRED,
};
use crate::{clock, emit_event, math, nonce};

#[event_cpi]
#[derive(Accounts)]
pub struct OpenCase {
    /// Pays the case's rent and gets it back.
    #[account(mut)]
    pub arbiter: Signer,
    /// Roles and parameters.
    #[account(seeds = [b"network"], bump, constraint(network.arbiter == *arbiter.address() @ IonetError::NotArbiter))]
    pub network: Box<Account<Network>>,
    /// The accused node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The case to be created.
    #[account(
        init,
        payer = arbiter,
        seeds = [Case::SEED, node.address().as_ref(), &node.next_case.to_le_bytes()],
        bump,
    )]
    pub case: Box<Account<Case>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
    /// Creates accounts.
    pub system_program: Program<System>,
}

/// Accuses a node. Arbiter. Its stake is frozen, not moved: it stays where it is until the case is decided, and running
/// leases are not touched. `evidence_hash` is the sha256 of what the arbiter published.
pub fn handler(ctx: &mut Context<OpenCase>, reason: u8, evidence_hash: [u8; 32]) -> Result<()> {
    require!((CASE_REASON_FALSE_HARDWARE..=CASE_REASON_OTHER).contains(&reason), IonetError::UnknownReason);
    require!(evidence_hash != [0; 32], IonetError::ZeroHash);
    nonce::refuse(&ctx.accounts.instructions)?;
    let now = clock::now()?;
    let arbiter = *ctx.accounts.arbiter.address();
    let bump = ctx.bumps.case;
    let node = &mut ctx.accounts.node;
    require!(node.flags & NODE_FLAG_FROZEN == 0, IonetError::CaseOpen);
    require!(now >= node.no_case_before, IonetError::CaseTooSoon);
    // Of a retired node without stake nothing is left to decide about, and its vault may be gone.
    require!(node.flags & NODE_FLAG_RETIRED == 0 || node.stake()? > 0, IonetError::NodeRetired);
    let flags_before = node.flags;
    node.flags |= NODE_FLAG_FROZEN;
    let number = node.next_case;
    node.next_case = math::add(number, 1)?;

    let case = &mut ctx.accounts.case;
    let accusation = Accusation { node: *node.address(), arbiter, reason, evidence_hash };
    ***case = Case::new(&accusation, number, &ctx.accounts.network.params, bump, now)?;
    let opened = CaseOpened {
        node: case.node,
        seq: node.next_seq()?,
        at: now,
        case: *case.address(),
        number,
        arbiter,
        reason,
        evidence_hash,
        decide_from: case.decide_from,
        decide_by: case.decide_by,
        flags_before,
        flags_after: node.flags,
    };
    emit_event!(ctx, opened);
    Ok(())
}
