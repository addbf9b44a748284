use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::ProofAppended;
use crate::hash::proof_head;
use crate::state::{Lease, Node};
use crate::{clock, emit_event};

#[event_cpi]
#[derive(Accounts)]
pub struct AppendProof {
    pub device_key: Signer,
    #[account(constraint(node.device_key == *device_key.address() @ IonetError::NotDeviceKey))]
    pub node: Box<Account<Node>>,
    #[account(mut, constraint(lease.node == *node.address() @ IonetError::WrongNode))]
    pub lease: Box<Account<Lease>>,
}

/// Records how long one interval was served and the Merkle root of its results. Device key; inside the interval or its
/// grace; until then it may be raised. `gpu_ms` is what the device measured and moves no money.
pub fn handler(
    ctx: &mut Context<AppendProof>,
    interval: u32,
    served_secs: u32,
    root: [u8; 32],
    gpu_ms: u64,
) -> Result<()> {
    require!(root != [0; 32], IonetError::ZeroHash);
    let (now, slot) = clock::now_and_slot()?;
    let lease = &mut ctx.accounts.lease;
    require!(lease.has_run(), IonetError::WrongLeaseState);
    let served_before = if interval < lease.ring_next { lease.served(interval) } else { 0 };
    if interval > lease.ring_next {
        let restart = clock::last_restart_slot()?;
        lease.record_gap(now, slot, restart);
    }
    lease.write_proof(interval, served_secs, now)?;
    lease.proof_head = proof_head(&lease.proof_head, interval, served_secs, gpu_ms, &root);
    lease.proof_count = lease.proof_count.saturating_add(1);
    lease.last_proof_at = now;
    lease.last_proof_slot = slot;
    let seq = lease.next_seq()?;
    let (node, proof_head, proof_count, pending_bps) =
        (lease.node, lease.proof_head, lease.proof_count, lease.pending_bps);
    emit_event!(
        ctx,
        ProofAppended {
            lease: *ctx.accounts.lease.address(),
            seq,
            at: now,
            node,
            interval,
            served_before,
            served_secs,
            gpu_ms,
            root,
            proof_head,
            proof_count,
            pending_bps,
        }
    );
    Ok(())
}
