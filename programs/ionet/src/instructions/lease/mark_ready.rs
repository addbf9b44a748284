use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::LeaseReady;
use crate::state::{Lease, Node, LEASE_STATUS_BOOKED, LEASE_STATUS_READY};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct MarkReady {
    /// The node's device key.
    pub device_key: Signer,
    /// The node.
    #[account(constraint(node.device_key == *device_key.address() @ IonetError::NotDeviceKey))]
    pub node: Box<Account<Node>>,
    /// The lease.
    #[account(mut, constraint(lease.node == *node.address() @ IonetError::WrongNode))]
    pub lease: Box<Account<Lease>>,
}

/// `report_hash` = sha256 of the agent's hardware report.
pub fn handler(ctx: &mut Context<MarkReady>, report_hash: [u8; 32]) -> Result<()> {
    let at = clock::moment()?;
    let now = at.now;
    let lease = &mut ctx.accounts.lease;
    lease.require_status(LEASE_STATUS_BOOKED)?;
    let late = lease.is_overdue(lease.booked_at, lease.booked_slot, lease.ready_deadline_secs, &at);
    require!(!late, IonetError::TooLate);
    lease.status = LEASE_STATUS_READY;
    lease.ready_at = now;
    lease.ready_slot = at.slot;
    let seq = lease.next_seq()?;
    let node = lease.node;
    let accept_by = math::add_time(now, u64::from(lease.accept_deadline_secs))?;
    emit_event!(ctx, LeaseReady { lease: *ctx.accounts.lease.address(), seq, at: now, node, report_hash, accept_by });
    Ok(())
}
