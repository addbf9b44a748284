use anchor_lang::prelude::*;

use crate::error::IonetError;
use crate::events::LeaseBooked;
use crate::oracle::Price;
use crate::state::{
    Booking, Cluster, DeviceModel, Iosd, Lease, Network, Node, CURRENCY_IO, CURRENCY_IOSD, PAUSE_ADD_LEASE,
};
use crate::{clock, emit_event, math};

#[event_cpi]
#[derive(Accounts)]
pub struct AddLease {
    /// Pays the lease's rent and gets it back.
    #[account(mut)]
    pub renter: Signer,
    /// Pause bits and the parameters that the lease copies.
    #[account(seeds = [b"network"], bump)]
    pub network: Box<Account<Network>>,
    /// The books of IOSD.
    #[account(seeds = [b"iosd"], bump)]
    pub iosd: Box<Account<Iosd>>,
    /// Pays for the lease.
    #[account(mut, constraint(cluster.renter == *renter.address() @ IonetError::NotRenter))]
    pub cluster: Box<Account<Cluster>>,
    /// The node to book.
    #[account(mut)]
    pub node: Box<Account<Node>>,
    /// The node's device model.
    #[account(constraint(model.code == node.model @ IonetError::WrongModel))]
    pub model: Box<Account<DeviceModel>>,
    /// The lease to be created.
    #[account(
        init,
        payer = renter,
        seeds = [Lease::SEED, node.address().as_ref(), &node.next_lease_number.to_le_bytes()],
        bump,
    )]
    pub lease: Box<Account<Lease>>,
    /// Creates accounts.
    pub system_program: Program<System>,
    /// CHECK: a Pyth price update, checked by the oracle module; needed in IO clusters, and in IOSD clusters by nodes
    /// that insist on coverage.
    pub price_update: Option<UncheckedAccount>,
}

/// Books one node for `duration` seconds and locks its price and the renter's fee. Renter. Refused when the node asks
/// more than `max_price` or its terms are not the ones read (`terms_seq`).
pub fn handler(ctx: &mut Context<AddLease>, duration: u32, max_price: u64, terms_seq: u32) -> Result<()> {
    ctx.accounts.network.check_not_paused(PAUSE_ADD_LEASE)?;
    let at = clock::moment()?;
    let now = at.now;
    let required_stake = check_node(&ctx.accounts, duration, max_price, terms_seq)?;
    let (price, io_price) = lock_price(&ctx.accounts, now)?;
    let lease_key = *ctx.accounts.lease.address();
    let (node, cluster, lease) = (&mut ctx.accounts.node, &mut ctx.accounts.cluster, &mut ctx.accounts.lease);
    let (node_key, cluster_key) = (*node.address(), *cluster.address());
    let bump = ctx.bumps.lease;
    let booking = Booking { node: node_key, cluster: cluster_key, price, io_price, required_stake, duration, bump, at };
    node.co_share(now);
    ***lease = Lease::new(&booking, node, cluster, &ctx.accounts.network.params);
    let (cost, fee) = lease.cost(u64::from(duration))?;
    lease.locked = math::add(cost, fee)?;
    let seq = lease.next_seq()?;

    cluster.lock(lease.locked)?;
    cluster.leases_booked = cluster.leases_booked.checked_add(1).ok_or(IonetError::Overflow)?;
    cluster.leases_open = cluster.leases_open.checked_add(1).ok_or(IonetError::Overflow)?;
    cluster.last_activity_at = now;
    node.current_lease = lease_key;
    node.next_lease_number = math::add(node.next_lease_number, 1)?;
    node.earlier_over_at = node.earlier_over_at.max(node.busy_until);
    node.busy_until = busy_until(lease, now)?;
    let event = LeaseBooked {
        lease: lease_key,
        seq,
        at: now,
        node: node_key,
        node_seq: node.next_seq()?,
        cluster: cluster_key,
        cluster_seq: cluster.next_seq()?,
        number: lease.number,
        processors: lease.processors,
        price: lease.price,
        duration,
        max_duration: lease.max_duration,
        interval_secs: lease.interval_secs,
        ready_by: math::add_time(now, u64::from(lease.ready_deadline_secs))?,
        required_stake,
        io_price: lease.io_price,
        locked: lease.locked,
        cluster_locked_after: cluster.locked,
    };
    emit_event!(ctx, event);
    Ok(())
}

/// Everything the renter relied on must hold now. Returns the stake that slashes are measured by.
fn check_node(accounts: &AddLease, duration: u32, max_price: u64, terms_seq: u32) -> Result<u64> {
    let node = &accounts.node;
    let required = node.check_hireable(&accounts.model, &accounts.network.params)?;
    require!(node.current_lease == Address::default(), IonetError::NodeBusy);
    require!(node.terms_seq == terms_seq, IonetError::TermsChanged);
    require!(node.price <= max_price, IonetError::PriceTooHigh);
    require!(node.currencies & accounts.cluster.currency != 0, IonetError::CurrencyRefused);
    require!(duration >= node.min_duration && duration <= node.max_duration, IonetError::DurationRefused);
    Ok(required)
}

/// The price per processor-hour in the cluster's currency, and the price of IO that a slash's compensation will use. IO
/// is converted here, once: so much of it, at the low end of its price, is worth the node's price (rounded up). Without
/// a price the last one seen is used while it is recent, else a slash compensates nobody.
fn lock_price(accounts: &AddLease, now: i64) -> Result<(u64, u64)> {
    let (node, iosd, network) = (&accounts.node, &accounts.iosd, &accounts.network);
    let in_io = accounts.cluster.currency == CURRENCY_IO;
    let covered = accounts.cluster.currency == CURRENCY_IOSD && node.min_coverage_bps > 0;
    let Some(update) = &accounts.price_update else {
        require!(!in_io && !covered, IonetError::PriceRequired);
        return Ok((node.price, iosd.recent_price(now)));
    };
    let price = Price::load(update, network, iosd, now)?;
    let io_price = price.low_price()?;
    if covered {
        require!(iosd.coverage_bps(io_price)? >= u64::from(node.min_coverage_bps), IonetError::CoverageTooLow);
    }
    Ok((if in_io { price.io_in(node.price)? } else { node.price }, io_price))
}

/// The latest moment at which this lease can still be disputed, whenever it starts.
fn busy_until(lease: &Lease, now: i64) -> Result<i64> {
    let waiting = u64::from(lease.ready_deadline_secs).saturating_add(u64::from(lease.accept_deadline_secs));
    let running = u64::from(lease.duration).saturating_add(lease.maturity_delay());
    math::add_time(now, waiting.saturating_add(running))
}
