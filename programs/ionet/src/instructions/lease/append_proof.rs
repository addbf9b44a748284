use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ProofAppended;
use crate::hash::proof_head;
use crate::state::{Lease, Node, ProofEntry};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct AppendProof {
    /// The node's device key.
    pub device_key: Signer,
    /// The node.
    #[account(constraint(node.device_key == *device_key.address() @ IonetError::NotDeviceKey))]
    pub node: Box<Account<Node>>,
    /// The lease.
    #[account(mut, constraint(lease.node == *node.address() @ IonetError::WrongNode))]
    pub lease: Box<Account<Lease>>,
}

/// Accepted inside the interval and its grace; until then it may be raised. `gpu_ms` is what the device measured and
/// moves no money.
pub fn handler(ctx: &mut Context<AppendProof>, proof: ProofEntry) -> Result<()> {
    require!(proof.root != [0; 32], IonetError::ZeroHash);
    let at = clock::moment()?;
    let lease = &mut ctx.accounts.lease;
    require!(lease.has_run(), IonetError::WrongLeaseState);
    lease.catch_up(&at)?;
    let ProofEntry { interval, served_secs, gpu_ms, root } = proof;
    let served_before = if interval < lease.ring_next { lease.served(interval) } else { 0 };
    let kept = lease.write_proof(interval, served_secs, &at)?;
    lease.proof_head = proof_head(&lease.proof_head, &proof);
    lease.proof_count = lease.proof_count.saturating_add(1);
    let appended = ProofAppended {
        lease: *lease.address(),
        seq: lease.next_seq()?,
        at: at.now,
        node: lease.node,
        interval,
        served_before,
        served_secs,
        gpu_ms,
        root,
        proof_head: lease.proof_head,
        proof_count: lease.proof_count,
        kept,
        moved_secs: lease.moved_secs,
        pending_bps: lease.pending_bps,
    };
    emit_event!(ctx, appended);
    Ok(())
}
