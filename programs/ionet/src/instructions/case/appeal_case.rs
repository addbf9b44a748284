use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::CaseAppealed;
use crate::state::{Case, Node};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct AppealCase {
    /// The node's owner.
    pub owner: Signer,
    /// The node.
    #[account(mut, constraint(node.owner == *owner.address() @ IonetError::NotNodeOwner))]
    pub node: Box<Account<Node>>,
    /// The case.
    #[account(mut, constraint(case.node == *node.address() @ IonetError::WrongCase))]
    pub case: Box<Account<Case>>,
}

/// Answers a case. Node owner, once. The answer is heard, so the arbiter need not wait any longer; until when they must
/// decide does not change. `appeal_hash` is the sha256 of what the owner published.
pub fn handler(ctx: &mut Context<AppealCase>, appeal_hash: [u8; 32]) -> Result<()> {
    require!(appeal_hash != [0; 32], IonetError::ZeroHash);
    let now = clock::now()?;
    let (node, case) = (&mut ctx.accounts.node, &mut ctx.accounts.case);
    require!(case.appeal_hash == [0; 32], IonetError::AlreadyAppealed);
    require!(now < case.decide_by, IonetError::TooLate);
    case.appeal_hash = appeal_hash;
    case.decide_from = case.decide_from.min(now);
    let appealed = CaseAppealed {
        node: *node.address(),
        seq: node.next_seq()?,
        at: now,
        case: *case.address(),
        appeal_hash,
        decide_from: case.decide_from,
    };
    emit_event!(ctx, appealed);
    Ok(())
}
