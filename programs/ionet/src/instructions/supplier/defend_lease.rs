use anchor_lang::prelude::*;
use pinocchio::sysvars::instructions::INSTRUCTIONS_ID;

use crate::error::IonetError;
use crate::events::DisputeDefended;
use crate::hash::proof_head;
use crate::state::{Cluster, Lease, Node};
use crate::{clock, emit_event, evidence};

/// One link of a lease's proof chain, as its `ProofAppended` event gave it.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct ProofEntry {
    pub interval: u32,
    pub served_secs: u32,
    pub gpu_ms: u64,
    pub root: [u8; 32],
}

#[event_cpi]
#[derive(Accounts)]
pub struct DefendLease {
    /// The node's owner or device key: what is passed over is lost, and only the supplier's side may decide that.
    #[account(constraint((node.owner == *defender.address() || node.device_key == *defender.address()) @ IonetError::NotSupplier))]
    pub defender: Signer,
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    pub node: Box<Account<Node>>,
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

/// Shows that a disputed interval was challenged and answered. Node owner or device key. `entries`, oldest first, are the links of the
/// proof chain from `prev_head` to where the defence has got to; with `open` the first of them is opened: the instruction
/// before this one verifies the session key's signature over its challenge, and `path` leads from that leaf 0 to its root.
/// Intervals are defended from the last to the first; a long chain is walked back over several transactions.
pub fn handler(
    ctx: &mut Context<DefendLease>,
    prev_head: [u8; 32],
    open: bool,
    entries: Vec<ProofEntry>,
    path: Vec<[u8; 32]>,
) -> Result<()> {
    let (now, slot) = clock::now_and_slot()?;
    let by = *ctx.accounts.defender.address();
    let cluster_key = *ctx.accounts.cluster.address();
    let (cluster, lease) = (&mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    let lease_key = *lease.address();
    require!(lease.is_disputed(), IonetError::NoDispute);
    require!(!lease.defence_is_over(now, slot), IonetError::DefendTooLate);
    let first = *entries.first().ok_or(IonetError::WrongProofChain)?;
    let head = entries
        .iter()
        .fold(prev_head, |head, entry| proof_head(&head, entry.interval, entry.served_secs, entry.gpu_ms, &entry.root));
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
