use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::DisputeDefended;
use crate::hash::proof_head;
use crate::state::{Cluster, Lease, Node, ProofEntry};
use crate::{clock, emit_event, evidence};

/// The part of a lease's proof chain that a defence walks back over.
#[derive(Clone, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct DefendLeaseArgs {
    /// Head of the proof chain before the first entry.
    pub prev_head: [u8; 32],
    /// Whether the first entry's interval is opened, or only walked over.
    pub open: bool,
    /// Links of the chain up to where the defence has got to, oldest first.
    pub entries: Vec<ProofEntry>,
    /// From leaf 0 of the first entry to its root; empty when nothing is opened.
    pub path: Vec<[u8; 32]>,
}

#[event_cpi]
#[derive(Accounts)]
pub struct DefendLease {
    /// The node's owner or device key: what is passed over is lost, and only the supplier's side may decide that.
    #[account(constraint((node.owner == *defender.address() || node.device_key == *defender.address()) @ IonetError::NotSupplier))]
    pub defender: Signer,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The node.
    pub node: Box<Account<Node>>,
    /// The lease.
    #[account(
        mut,
        constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster),
        constraint(lease.node == *node.address() @ IonetError::WrongNode),
    )]
    pub lease: Box<Account<Lease>>,
    /// CHECK: the instructions sysvar.
    #[account(address = INSTRUCTIONS_ID @ IonetError::NoChallengeSignature)]
    pub instructions: UncheckedAccount,
}

/// When an interval is opened, the instruction before this one verifies the session key's signature over its challenge.
/// Intervals are defended from the last to the first; a long chain is walked back over several transactions.
pub fn handler(ctx: &mut Context<DefendLease>, args: DefendLeaseArgs) -> Result<()> {
    let DefendLeaseArgs { prev_head, open, entries, path } = args;
    let at = clock::moment()?;
    let now = at.now;
    let by = *ctx.accounts.defender.address();
    let cluster_key = *ctx.accounts.cluster.address();
    let (cluster, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    let lease_key = *lease.address();
    require!(lease.is_disputed(), IonetError::NoDispute);
    lease.catch_up(&at)?;
    require!(!lease.defence_is_over(&at), IonetError::DefendTooLate);
    let first = *entries.first().ok_or(IonetError::WrongProofChain)?;
    let head = entries.iter().fold(prev_head, |head, entry| proof_head(&head, entry));
    require!(head == lease.dispute_head, IonetError::WrongProofChain);
    lease.dispute_head = prev_head;

    let mut bond_part = 0;
    if open {
        let key = cluster.challenge_key(lease.disputed_at);
        let message = evidence::challenge(&lease_key, first.interval);
        let signature = evidence::verified_signature(&ctx.accounts.instructions, &key, &message)?;
        let opened = evidence::opens(&first.root, &lease_key, first.interval, &signature, &path);
        require!(opened, IonetError::WrongEvidence);
        bond_part = lease.defend(first.interval, first.served_secs)?;
    }
    let defended = DisputeDefended {
        lease: lease_key,
        seq: lease.next_seq()?,
        at: now,
        interval: first.interval,
        defended: open,
        served_secs: first.served_secs,
        bond_part,
        dispute_to: lease.dispute_to,
        dispute_head: prev_head,
        by,
    };
    let resolved =
        if lease.is_disputed() { None } else { Some(lease.resolve(lease_key, cluster, cluster_key, now)?) };
    emit_event!(ctx, defended);
    if let Some(event) = resolved {
        emit_event!(ctx, event);
    }
    Ok(())
}
