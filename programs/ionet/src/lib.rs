//! The ionet program: nodes with stake, leases paid from a renter's escrow by accepted proofs, IOSD minted by burning
//! IO, slashing of missed time. `docs/` holds the invariants.

mod clock;
mod constants;
mod emit;
mod ending;
mod error;
mod events;
mod evidence;
mod hash;
mod instructions;
mod math;
mod nonce;
mod oracle;
mod payment;
mod payout;
mod slashing;
mod state;
#[cfg(test)]
mod tests;
mod token;
mod unbonding;

use anchor_lang::prelude::*;
#[cfg(target_arch = "bpf")]
use solana_compiler_builtins as _;

pub use constants::*;
pub use error::IonetError;
pub use events::*;
use instructions::*;
pub use state::*;

declare_id!("2xGk6hnZXDcp1vg7cqts38y5huqSu7BCtXJPFrpvaUZu");

#[program]
pub mod ionet {
    use super::*;

    // -- network

    /// Creates the network, both mints and the genesis supply. Needs the program's upgrade authority; once.
    pub fn init_network(ctx: &mut Context<InitNetwork>, args: InitNetworkArgs) -> Result<()> {
        init_network::handler(ctx, args)
    }

    /// Creates the fee vault and the burn vault of one admitted mint. Anyone; once per mint.
    pub fn init_vaults(ctx: &mut Context<InitVaults>) -> Result<()> {
        init_vaults::handler(ctx)
    }

    /// Adds a device model. Network authority; once per code. `multiplier` is × 100.
    pub fn register_model(ctx: &mut Context<RegisterModel>, code: u16, args: RegisterModelArgs) -> Result<()> {
        register_model::handler(ctx, code, args)
    }

    /// Stops or allows new leases and extensions of a device model, at once. Network authority.
    pub fn set_model(ctx: &mut Context<SetModel>, enabled: bool) -> Result<()> {
        set_model::handler(ctx, enabled)
    }

    /// Names a device model's new terms, which wait as long as stake takes to leave. Network authority.
    pub fn propose_model(ctx: &mut Context<ProposeModel>, args: ModelTerms) -> Result<()> {
        propose_model::handler(ctx, args)
    }

    /// Puts a device model's new terms into effect. Anyone.
    pub fn apply_model(ctx: &mut Context<ApplyModel>) -> Result<()> {
        apply_model::handler(ctx)
    }

    /// Sets which entries are paused. Pauser or network authority. Exits cannot be paused.
    pub fn set_pause(ctx: &mut Context<SetPause>, bits: u64) -> Result<()> {
        set_pause::handler(ctx, bits)
    }

    /// Names new parameters, which take effect after their wait; a lease keeps those of its booking. Network authority.
    pub fn propose_params(ctx: &mut Context<Propose>, params: Params) -> Result<()> {
        propose_params::handler(ctx, params)
    }

    /// Names a new authority (1), pauser (2), arbiter (3) or oracle feed (4), after its wait. Network authority.
    pub fn propose_role(ctx: &mut Context<Propose>, role: u8, value: [u8; 32]) -> Result<()> {
        propose_role::handler(ctx, role, value)
    }

    /// Puts what is due into effect. Anyone; a new authority only by itself.
    pub fn apply_pending(ctx: &mut Context<ApplyPending>) -> Result<()> {
        apply_pending::handler(ctx)
    }

    // -- node

    /// Registers a machine under its own key. Owner and device key sign.
    pub fn register_node(
        ctx: &mut Context<RegisterNode>,
        model_code: u16,
        processors: u8,
        terms: NodeTerms,
    ) -> Result<()> {
        register_node::handler(ctx, model_code, processors, terms)
    }

    /// Replaces the node's terms. Owner; running leases keep what they locked.
    pub fn update_node(ctx: &mut Context<UpdateNode>, terms: NodeTerms) -> Result<()> {
        update_node::handler(ctx, terms)
    }

    /// Replaces the key that signs readiness and proofs. Owner and new key sign.
    pub fn rotate_device_key(ctx: &mut Context<RotateDeviceKey>) -> Result<()> {
        rotate_device_key::handler(ctx)
    }

    /// Pauses the node or lets it take leases again. Owner.
    pub fn pause_node(ctx: &mut Context<PauseNode>, paused: bool) -> Result<()> {
        pause_node::handler(ctx, paused)
    }

    /// Locks the node's payout to an address, or makes such a lock longer. Owner.
    pub fn lock_payout(ctx: &mut Context<LockPayout>, beneficiary: Address, until: i64) -> Result<()> {
        lock_payout::handler(ctx, beneficiary, until)
    }

    /// Ends the lock of a node's payout. Only the address that it is locked to.
    pub fn release_payout(ctx: &mut Context<ReleasePayout>) -> Result<()> {
        release_payout::handler(ctx)
    }

    /// Says that a node which was not ready in time is there again. Node owner or device key.
    pub fn return_node(ctx: &mut Context<ReturnNode>) -> Result<()> {
        return_node::handler(ctx)
    }

    /// Takes the node out of the market for good and unbonds its owner. Owner.
    pub fn retire_node(ctx: &mut Context<RetireNode>) -> Result<()> {
        retire_node::handler(ctx)
    }

    // -- stake

    /// Bonds IO to a node. Its owner, or a co-staker where the owner shares rewards or income.
    pub fn stake(ctx: &mut Context<Stake>, amount: u64) -> Result<()> {
        stake::stake::handler(ctx, amount)
    }

    /// Moves stake to the unbonding pool. Staker; never refused while a ticket is free.
    pub fn request_unbond(ctx: &mut Context<RequestUnbond>, amount: u64) -> Result<()> {
        request_unbond::handler(ctx, amount)
    }

    /// Pays every matured ticket to the staker. Anyone.
    pub fn withdraw(ctx: &mut Context<Withdraw>) -> Result<()> {
        withdraw::handler(ctx)
    }

    /// Unbonds everything that a staker has on a retired node. Anyone.
    pub fn push_unbond(ctx: &mut Context<PushUnbond>) -> Result<()> {
        push_unbond::handler(ctx)
    }

    /// Sets the parts of rewards and of income that co-stakers get. Owner; worse terms bind after the notice.
    pub fn set_co_stake_terms(ctx: &mut Context<SetCoStakeTerms>, share_bps: u16, income_share_bps: u16) -> Result<()> {
        set_co_stake_terms::handler(ctx, share_bps, income_share_bps)
    }

    /// Creates a node's income vault of one mint, without which no income in it is shared. Anyone.
    pub fn open_income_vault(ctx: &mut Context<OpenIncomeVault>) -> Result<()> {
        open_income_vault::handler(ctx)
    }

    /// Pays a co-staker their part of leases' income in one mint. Anyone.
    pub fn claim_income(ctx: &mut Context<ClaimIncome>) -> Result<()> {
        claim_income::handler(ctx)
    }

    /// Closes an income vault of a retired node to which nobody has a claim any more. Anyone.
    pub fn close_income_vault(ctx: &mut Context<CloseIncomeVault>) -> Result<()> {
        close_income_vault::handler(ctx)
    }

    /// Gives IO to a node's stakers as a reward. Anyone.
    pub fn fund_rewards(ctx: &mut Context<FundRewards>, amount: u64) -> Result<()> {
        fund_rewards::handler(ctx, amount)
    }

    /// Pays a staker their rewards. Anyone.
    pub fn claim_rewards(ctx: &mut Context<ClaimRewards>) -> Result<()> {
        claim_rewards::handler(ctx)
    }

    /// Closes the vault of a retired node to which nobody has a claim any more. Anyone.
    pub fn close_stake_vault(ctx: &mut Context<CloseStakeVault>) -> Result<()> {
        close_stake_vault::handler(ctx)
    }

    // -- cluster

    /// Opens a cluster and deposits its budget. Renter. `id` is the renter account's `next_cluster_id`.
    pub fn open_cluster(ctx: &mut Context<OpenCluster>, id: u64, args: OpenClusterArgs) -> Result<()> {
        open_cluster::handler(ctx, id, args)
    }

    /// Rotates the session key, or revokes it when given zero. Renter.
    pub fn set_session_key(ctx: &mut Context<SetSessionKey>, session_key: Address, expires_at: i64) -> Result<()> {
        set_session_key::handler(ctx, session_key, expires_at)
    }

    /// Takes budget back that no lease has locked. Renter.
    pub fn withdraw_budget(ctx: &mut Context<WithdrawBudget>, amount: u64) -> Result<()> {
        withdraw_budget::handler(ctx, amount)
    }

    /// Returns the rest of the budget and closes the cluster. The renter; anyone once it has been idle.
    pub fn close_cluster(ctx: &mut Context<CloseCluster>) -> Result<()> {
        close_cluster::handler(ctx)
    }

    // -- lease

    /// Books one node and locks its price and the renter's fee. Renter.
    pub fn add_lease(ctx: &mut Context<AddLease>, duration: u32, max_price: u64, terms_seq: u32) -> Result<()> {
        add_lease::handler(ctx, duration, max_price, terms_seq)
    }

    /// Says that the node is reserved and may be checked. Device key, before the deadline.
    pub fn mark_ready(ctx: &mut Context<MarkReady>, report_hash: [u8; 32]) -> Result<()> {
        mark_ready::handler(ctx, report_hash)
    }

    /// Starts the meter after the renter's side has checked the hardware. Renter or session key.
    pub fn accept_ready(ctx: &mut Context<SessionAction>) -> Result<()> {
        accept_ready::handler(ctx)
    }

    /// Refuses a node that says it is ready, and owes the price of the time since, which nobody gets. Renter or session
    /// key.
    pub fn reject_ready(ctx: &mut Context<RejectReady>) -> Result<()> {
        reject_ready::handler(ctx)
    }

    /// Records how long one interval was served and the Merkle root of its results. Device key.
    pub fn append_proof(ctx: &mut Context<AppendProof>, args: ProofEntry) -> Result<()> {
        append_proof::handler(ctx, args)
    }

    /// Lets intervals be paid without waiting for the dispute window. Renter or session key.
    pub fn approve_lease(ctx: &mut Context<SessionAction>, through_interval: u32, proof_head: [u8; 32]) -> Result<()> {
        approve_lease::handler(ctx, through_interval, proof_head)
    }

    /// Holds the payment of intervals until they are defended. Renter or session key.
    pub fn dispute_lease(ctx: &mut Context<SessionAction>, from_interval: u32, to_interval: u32) -> Result<()> {
        dispute_lease::handler(ctx, from_interval, to_interval)
    }

    /// Defends a disputed interval with its challenge, or walks the proof chain back towards it. Node owner or
    /// device key.
    pub fn defend_lease(ctx: &mut Context<DefendLease>, args: DefendLeaseArgs) -> Result<()> {
        defend_lease::handler(ctx, args)
    }

    /// Adds time to a running lease at its locked price. Renter.
    pub fn extend_lease(ctx: &mut Context<ExtendLease>, extra_secs: u32) -> Result<()> {
        extend_lease::handler(ctx, extra_secs)
    }

    /// Ends a running lease early. Renter; anyone once an outage lasts too long.
    pub fn end_lease(ctx: &mut Context<EndLease>) -> Result<()> {
        end_lease::handler(ctx)
    }

    /// Leaves a running lease for a charge. Node owner.
    pub fn quit_lease(ctx: &mut Context<QuitLease>) -> Result<()> {
        quit_lease::handler(ctx)
    }

    /// Leaves a lease without a charge because no challenge came for two intervals. Node owner or device key.
    pub fn leave_lease(ctx: &mut Context<LeaveLease>) -> Result<()> {
        leave_lease::handler(ctx)
    }

    /// Cancels a lease that was not ready, or not accepted, in time. Anyone.
    pub fn cancel_lease(ctx: &mut Context<CancelLease>) -> Result<()> {
        cancel_lease::handler(ctx)
    }

    /// Pays what is proven and past dispute, or was ready and not answered; ends a lease whose time is over. Anyone.
    pub fn settle_lease(ctx: &mut Context<SettleLease>) -> Result<()> {
        settle_lease::handler(ctx)
    }

    /// Charges a node for missed time by the tier its outage has reached. Anyone.
    pub fn report_missed(ctx: &mut Context<ReportMissed>) -> Result<()> {
        report_missed::handler(ctx)
    }

    /// Closes a lease about which nothing can change any more. Anyone.
    pub fn close_lease(ctx: &mut Context<CloseLease>) -> Result<()> {
        close_lease::handler(ctx)
    }

    // -- iosd

    /// Burns IO and mints what it is worth in IOSD. The only way IOSD comes into being.
    pub fn mint_iosd(ctx: &mut Context<MintIosd>, io_amount: u64, min_iosd: u64) -> Result<()> {
        mint_iosd::handler(ctx, io_amount, min_iosd)
    }

    /// Mints exactly `iosd_amount` for as much IO as that takes, at most `max_io`.
    pub fn mint_iosd_exact(ctx: &mut Context<MintIosd>, iosd_amount: u64, max_io: u64) -> Result<()> {
        mint_iosd_exact::handler(ctx, iosd_amount, max_io)
    }

    /// Burns IOSD and mints the IO it is worth, at most its part of the backing. Never paused.
    pub fn redeem_iosd(ctx: &mut Context<RedeemIosd>, iosd_amount: u64, min_io: u64) -> Result<()> {
        redeem_iosd::handler(ctx, iosd_amount, min_io)
    }

    /// Shows the program a valid price. Anyone.
    pub fn refresh_price(ctx: &mut Context<RefreshPrice>) -> Result<()> {
        refresh_price::handler(ctx)
    }

    /// Buys IO with fees in USDC from anyone who offers it and burns it.
    pub fn buyback(ctx: &mut Context<Buyback>, io_amount: u64, min_usdc: u64) -> Result<()> {
        buyback::handler(ctx, io_amount, min_usdc)
    }

    /// Burns everything in a burn vault. Anyone.
    pub fn burn(ctx: &mut Context<Burn>) -> Result<()> {
        burn::handler(ctx)
    }

    // -- case

    /// Accuses a node and freezes its stake until the case is decided. Arbiter.
    pub fn open_case(ctx: &mut Context<OpenCase>, reason: u8, evidence_hash: [u8; 32]) -> Result<()> {
        open_case::handler(ctx, reason, evidence_hash)
    }

    /// Answers a case; from then on it can be decided. Node owner, once.
    pub fn appeal_case(ctx: &mut Context<AppealCase>, appeal_hash: [u8; 32]) -> Result<()> {
        appeal_case::handler(ctx, appeal_hash)
    }

    /// Decides a case: takes a part of the stake, within the caps, and blocks the node or not. Arbiter; once time has
    /// run out, anyone dismisses it.
    pub fn decide_case(ctx: &mut Context<DecideCase>, bps: u16, blocked: bool) -> Result<()> {
        decide_case::handler(ctx, bps, blocked)
    }

    // -- owed

    /// Creates the account that keeps what a wallet cannot receive, in one mint. Anyone.
    pub fn open_owed(ctx: &mut Context<OpenOwed>) -> Result<()> {
        open_owed::handler(ctx)
    }

    /// Brings what a vault of the program could not receive into that vault, once it can. Anyone.
    pub fn collect_owed(ctx: &mut Context<CollectOwed>) -> Result<()> {
        collect_owed::handler(ctx)
    }

    /// Pays out and closes a wallet's owed account. Its owner, to any account of the mint.
    pub fn claim_owed(ctx: &mut Context<ClaimOwed>) -> Result<()> {
        claim_owed::handler(ctx)
    }
}
