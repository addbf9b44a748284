use anchor_lang::prelude::*;
use anchor_spl::token::{Token, TokenAccount};
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::CaseDecided;
use crate::slashing::{self, Cause, Division, Payees, SLASH_REASON_CASE};
use crate::state::{Case, Network, Node, NODE_FLAG_BLOCKED, NODE_FLAG_FROZEN};
use crate::{clock, emit_event, math, nonce};

#[event_cpi]
#[derive(Accounts)]
pub struct DecideCase {
    /// The arbiter; anyone once time has run out.
    pub authority: Signer,
    /// Roles and parameters.
    #[account(mut, seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The node.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The case to be decided.
    #[account(mut, constraint(case.node == *node.address() @ IonetError::WrongCase))]
    pub case: Box<Account<Case>>,
    /// CHECK: the arbiter who opened the case and paid its rent; a wallet, so it may be the signer above as well.
    #[account(unsafe(dup), address = case.arbiter @ IonetError::WrongRentPayer)]
    pub arbiter: UncheckedAccount,
    /// The node's stake vault.
    #[account(mut, seeds = [Node::STAKE_SEED, node.address().as_ref()], bump = node.stake_vault_bump)]
    pub stake_vault: Box<Account<TokenAccount>>,
    /// Burn vault of IO.
    #[account(mut, seeds = [Network::BURN_SEED, network.io_mint.as_ref()], bump)]
    pub burn_vault: Box<Account<TokenAccount>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::DurableNonce)]
    pub instructions: UncheckedAccount,
    /// Moves tokens.
    pub token_program: Program<Token>,
}

/// Decides a case and unfreezes the stake. The arbiter takes `bps` of the node's stake, within the caps, and says
/// whether the node is `blocked`; all of it is burned. Once their time has run out, anyone dismisses the case: nothing
/// is taken and a block stays as it was.
pub fn handler(ctx: &mut Context<DecideCase>, bps: u16, blocked: bool) -> Result<()> {
    let now = clock::now()?;
    let by = *ctx.accounts.authority.address();
    check_decidable(&ctx.accounts, bps, blocked, now)?;
    let accounts = &mut ctx.accounts;
    let (node, case) = (&mut accounts.node, &accounts.case);
    let amount = math::bps_floor(node.stake()?, u64::from(bps))?;
    if amount > 0 {
        count(&mut accounts.network, node, case, amount, now)?;
    }
    let slash = slashing::take_amount(node, amount)?;
    let flags_before = node.flags;
    let block = if blocked { NODE_FLAG_BLOCKED } else { 0 };
    node.flags = flags_before & !(NODE_FLAG_FROZEN | NODE_FLAG_BLOCKED) | block;
    node.no_case_before = math::add_time(now, u64::from(case.appeal_secs))?;
    let decided = CaseDecided {
        node: *node.address(),
        seq: node.next_seq()?,
        at: now,
        case: *case.address(),
        number: case.number,
        by,
        bps,
        flags_before,
        flags_after: node.flags,
    };
    let division = Division { burned: slash.amount, ..Division::default() };
    let cause = Cause { lease: Address::default(), reason: SLASH_REASON_CASE, bps, missed_secs: 0, reporter: by };
    let slashed = if slash.amount > 0 {
        Some(slashing::event(&mut accounts.node, &cause, &slash, &division, now)?)
    } else {
        None
    };
    let payees = Payees {
        vault: &mut accounts.stake_vault,
        burn_vault: &mut accounts.burn_vault,
        renter_io: None,
        reporter_io: None,
    };
    slashing::pay(&accounts.node, &division, payees);
    accounts.case.close(*accounts.arbiter.account())?;
    emit_event!(ctx, decided);
    if let Some(event) = slashed {
        emit_event!(ctx, event);
    }
    Ok(())
}

/// The arbiter may acquit at once; against the node they decide only when its owner has answered or had the time to.
fn check_decidable(accounts: &DecideCase, bps: u16, blocked: bool, now: i64) -> Result<()> {
    let was_blocked = accounts.node.flags & NODE_FLAG_BLOCKED != 0;
    if now >= accounts.case.decide_by {
        require!(bps == 0 && blocked == was_blocked, IonetError::CaseNotDecidable);
        return Ok(());
    }
    require!(*accounts.authority.address() == accounts.network.arbiter, IonetError::NotArbiter);
    nonce::refuse(&accounts.instructions)?;
    let acquitted = bps == 0 && (was_blocked || !blocked);
    require!(acquitted || now >= accounts.case.decide_from, IonetError::CaseNotDecidable);
    Ok(())
}

/// Counts `amount` against the caps in force when the case was opened: the node's, a part of its stake before this
/// window's takings, and the network's.
fn count(network: &mut Network, node: &mut Node, case: &Case, amount: u64, now: i64) -> Result<()> {
    let window = case.window_secs;
    let taken = in_window(node.case_window_start, node.case_window_amount, window, now);
    let of_node = math::add(taken, amount)?;
    let node_cap = math::bps_floor(math::add(node.stake()?, taken)?, u64::from(case.cap_bps))?;
    require!(of_node <= node_cap, IonetError::CaseCapReached);
    if taken == 0 {
        node.case_window_start = now;
    }
    node.case_window_amount = of_node;

    let taken = in_window(network.case_window_start, network.case_window_amount, window, now);
    let of_network = math::add(taken, amount)?;
    require!(of_network <= case.network_cap, IonetError::CaseCapReached);
    if taken == 0 {
        network.case_window_start = now;
    }
    network.case_window_amount = of_network;
    Ok(())
}

/// What was taken in the window that runs `now`; 0 when it is over.
fn in_window(start: i64, amount: u64, window: u32, now: i64) -> u64 {
    if math::secs_between(start, now) < u64::from(window) {
        amount
    } else {
        0
    }
}
