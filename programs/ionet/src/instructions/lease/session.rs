use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::state::{Cluster, Lease};

/// What the renter's side does to one lease: accepting readiness, approving, disputing.
#[event_cpi]
#[derive(Accounts)]
pub struct SessionAction {
    /// The renter or the session key.
    pub authority: Signer,
    /// The cluster whose budget is meant.
    #[account(mut)]
    pub cluster: Box<Account<Cluster>>,
    /// The lease.
    #[account(mut, constraint(lease.cluster == *cluster.address() @ IonetError::WrongCluster))]
    pub lease: Box<Account<Lease>>,
}
