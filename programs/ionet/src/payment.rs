//! One settlement of a lease: the difference between what is due in all and what was paid.

use anchor_lang::prelude::*;

use crate::math;
use crate::state::{Cluster, Lease};

pub struct Payment {
    pub gross: u64,
    pub supplier_fee: u64,
    pub renter_fee: u64,
    /// Price of time that the renter owes and nobody gets; no fee is taken of it.
    pub burned: u64,
    /// Bonds that lost disputes owe to the supplier; no fee is taken from them.
    pub bond: u64,
}

impl Payment {
    pub fn due(lease: &Lease) -> Result<Self> {
        let due = lease.due();
        let (earned, renter_fee) = lease.cost(due.paid_secs)?;
        let supplier_fee = math::bps_ceil(earned, u64::from(lease.supplier_fee_bps))?;
        let burned = math::earned(lease.price, lease.processors, due.burned_secs)?;
        Ok(Self {
            gross: math::sub(earned, lease.paid)?,
            supplier_fee: math::sub(supplier_fee, lease.supplier_fee)?,
            renter_fee: math::sub(renter_fee, lease.renter_fee)?,
            burned: math::sub(burned, lease.burned)?,
            bond: lease.bond_due,
        })
    }

    /// What the supplier gets.
    pub fn net(&self) -> Result<u64> {
        math::add(math::sub(self.gross, self.supplier_fee)?, self.bond)
    }

    /// What the bonded pool gets of it: the share of everything paid so far after fees, less what it got before.
    pub fn to_share(&self, lease: &Lease) -> Result<u64> {
        let earned = math::add(lease.paid, self.gross)?;
        let net = math::sub(earned, math::add(lease.supplier_fee, self.supplier_fee)?)?;
        math::sub(math::bps_floor(net, u64::from(lease.income_share_bps))?, lease.shared)
    }

    /// Whether nothing is due.
    pub fn is_empty(&self) -> bool {
        self.gross == 0 && self.renter_fee == 0 && self.burned == 0 && self.bond == 0
    }

    pub fn book(&self, lease: &mut Lease, cluster: &mut Cluster) -> Result<()> {
        let taken = math::add(self.gross, self.renter_fee)?;
        lease.paid = math::add(lease.paid, self.gross)?;
        lease.supplier_fee = math::add(lease.supplier_fee, self.supplier_fee)?;
        lease.renter_fee = math::add(lease.renter_fee, self.renter_fee)?;
        lease.burned = math::add(lease.burned, self.burned)?;
        lease.locked = math::sub(lease.locked, math::add(taken, self.burned)?)?;
        lease.bond_due = 0;
        cluster.unlock(math::add(taken, self.bond)?)?;
        cluster.burn(self.burned)?;
        cluster.paid = math::add(cluster.paid, self.net()?)?;
        cluster.fees = math::add(cluster.fees, math::add(self.supplier_fee, self.renter_fee)?)?;
        Ok(())
    }
}
