//! Every refusal of the program. Codes are stable: new ones go to the end.

use anchor_lang::prelude::*;

#[error_code]
pub enum IonetError {
    #[msg("Only the program's upgrade authority may initialise the network.")]
    NotUpgradeAuthority,
    #[msg("The account given as program data does not belong to this program.")]
    WrongProgramData,
    #[msg("The profile must be 0 (mainnet) or 1 (local).")]
    UnknownProfile,
    #[msg("Only the network authority may do this.")]
    NotAuthority,
    #[msg("Only the pauser or the network authority may change the pause bits.")]
    NotPauser,
    #[msg("This entry is paused; exits are never paused.")]
    Paused,
    #[msg("The mint is not the one the network admits here.")]
    WrongMint,
    #[msg("The mint of USDC must have six decimals.")]
    BadMint,
    #[msg("The token account does not hold the expected mint.")]
    WrongTokenMint,
    #[msg("The token account does not belong to the expected owner.")]
    WrongTokenOwner,
    #[msg("The token account is not the associated token account of its recipient.")]
    NotAssociatedAccount,
    #[msg("An amount of zero does nothing.")]
    ZeroAmount,
    #[msg("An amount does not fit its integer type.")]
    Overflow,
    #[msg("The device model does not match its code.")]
    WrongModel,
    #[msg("The device model is disabled.")]
    ModelDisabled,
    #[msg("The model needs a name (zeros after its end), a kind, a pool, a multiplier and a price within bounds.")]
    BadModel,
    #[msg("A node has between one and eight processors.")]
    BadProcessors,
    #[msg("The price must be positive and at most one million dollars per processor-hour.")]
    BadPrice,
    #[msg("The minimum duration must be positive and at most the maximum, which must be at most a year.")]
    BadDuration,
    #[msg("The currencies must be a non-empty set of IOSD, USDC and IO.")]
    BadCurrencies,
    #[msg("The country must be an ISO 3166-1 numeric code.")]
    BadCountry,
    #[msg("The payout and fee payer addresses must not be empty.")]
    BadPayout,
    #[msg("Only the node's owner may do this.")]
    NotNodeOwner,
    #[msg("Only the node's device key may do this.")]
    NotDeviceKey,
    #[msg("The node is paused.")]
    NodePaused,
    #[msg("The node is retired.")]
    NodeRetired,
    #[msg("The node is blocked.")]
    NodeBlocked,
    #[msg("The node is on another lease.")]
    NodeBusy,
    #[msg("The node's bonded stake is below its requirement.")]
    StakeTooLow,
    #[msg("The node's terms changed since they were read.")]
    TermsChanged,
    #[msg("The node asks for more than the stated maximum price.")]
    PriceTooHigh,
    #[msg("The node does not accept the cluster's currency.")]
    CurrencyRefused,
    #[msg("The position does not belong to this node and staker.")]
    WrongPosition,
    #[msg("The position has no shares in the current era.")]
    NothingBonded,
    #[msg("Eight unbonding tickets are open; withdraw one first.")]
    TooManyTickets,
    #[msg("No unbonding ticket has matured yet.")]
    NothingMatured,
    #[msg("The deposit is too small to be worth a share.")]
    DepositTooSmall,
    #[msg("This is none of the currencies in which clusters are paid.")]
    CurrencyNotSupported,
    #[msg("The cluster kind is unknown.")]
    UnknownClusterKind,
    #[msg("The session key must be set and expire in the future.")]
    BadSessionKey,
    #[msg("Only the cluster's renter may do this.")]
    NotRenter,
    #[msg("Only the renter or a session key that has not expired may do this.")]
    NotRenterOrSession,
    #[msg("The cluster's free budget does not cover this.")]
    BudgetTooSmall,
    #[msg("The cluster still has open leases.")]
    LeasesOpen,
    #[msg("Until the cluster has been idle long enough only its renter may close it.")]
    ClusterNotIdle,
    #[msg("The lease does not belong to this node.")]
    WrongNode,
    #[msg("The lease does not belong to this cluster.")]
    WrongCluster,
    #[msg("The duration is outside what the node offers.")]
    DurationRefused,
    #[msg("The parameters do not fit the ring of open intervals.")]
    RingTooSmall,
    #[msg("The lease is not in the state this instruction needs.")]
    WrongLeaseState,
    #[msg("The deadline has passed.")]
    TooLate,
    #[msg("The deadline has not passed yet.")]
    TooEarly,
    #[msg("Proofs must be appended in order; this interval was skipped or is already closed.")]
    ProofOutOfOrder,
    #[msg("The interval is not open for a proof now.")]
    IntervalNotOpen,
    #[msg("More seconds are claimed than have passed in the interval.")]
    ServedTooLong,
    #[msg("A proof may be raised, never lowered.")]
    ProofLowered,
    #[msg("The lease has ended.")]
    LeaseOver,
    #[msg("The supplier has not missed enough for somebody else to end the lease.")]
    NotSupplierFault,
    #[msg("No missed time is left to charge.")]
    NothingMissed,
    #[msg("Missed time must be charged before the lease closes.")]
    MissedNotCharged,
    #[msg("The lease must be settled in full before it closes.")]
    NotSettled,
    #[msg("The rent goes back to the account that paid it.")]
    WrongRentPayer,
    #[msg("The price account does not belong to the oracle program.")]
    OracleWrongOwner,
    #[msg("The price account is not a price update.")]
    OracleBadAccount,
    #[msg("The price update is not fully verified.")]
    OracleNotVerified,
    #[msg("The price update is for another feed.")]
    OracleWrongFeed,
    #[msg("The price's exponent is out of range.")]
    OracleBadExponent,
    #[msg("The price is too old.")]
    OracleStale,
    #[msg("The price's publish time is in the future.")]
    OracleFuture,
    #[msg("The price and its average must be positive.")]
    OracleNotPositive,
    #[msg("The price is too uncertain.")]
    OracleUncertain,
    #[msg("The price is too uncertain: within its bounds IO may be worth nothing.")]
    OracleWorthless,
    #[msg("The result is below the stated minimum.")]
    SlippageExceeded,
    #[msg("The renter account does not belong to this wallet.")]
    WrongRenterAccount,
    #[msg("The hash must not be zero.")]
    ZeroHash,
    #[msg("Only the named successor may take over the authority.")]
    NotPendingAuthority,
    #[msg("No change is pending.")]
    NothingPending,
    #[msg("The change cannot take effect before its timelock has passed.")]
    TimelockRunning,
    #[msg("A parameter is outside its bounds.")]
    BadParams,
    #[msg("The role is unknown.")]
    UnknownRole,
    #[msg("The limit of this window is used up; take less or try later.")]
    WindowFull,
    #[msg("This needs a price account.")]
    PriceRequired,
    #[msg("Redemption at the last rate opens only after a day without a price.")]
    PriceStillFresh,
    #[msg("The backing of IOSD is below what the node insists on.")]
    CoverageTooLow,
    #[msg("The owner shares nothing with co-stakers, or slashes left too little in the pool to join it.")]
    NotOpenToCoStake,
    #[msg("Co-stake may not exceed its share of the bonded stake.")]
    CoStakeTooHigh,
    #[msg("The node's stake is frozen by an open case.")]
    NodeFrozen,
    #[msg("There is nothing to claim.")]
    NothingToClaim,
    #[msg("The node has no bonded stake to reward.")]
    NobodyToReward,
    #[msg("A dispute is open on this lease.")]
    DisputeOpen,
    #[msg("No dispute is open on this lease.")]
    NoDispute,
    #[msg("Only proven, closed intervals that were neither approved nor paid can be disputed.")]
    RangeNotDisputable,
    #[msg("Only proven, closed intervals can be approved.")]
    RangeNotApprovable,
    #[msg("The lease's proofs are not the ones this approval was made for.")]
    ApprovalMismatch,
    #[msg("Intervals that began without the present session key cannot be disputed.")]
    NoChallengeKey,
    #[msg("The dispute can no longer be defended.")]
    DefendTooLate,
    #[msg("The entries do not hash to the disputed proof chain.")]
    WrongProofChain,
    #[msg("The instruction before this one must verify the session key's signature over the interval's challenge.")]
    NoChallengeSignature,
    #[msg("The evidence does not open leaf 0 of the interval's root.")]
    WrongEvidence,
    #[msg("The last intervals must be kept and not yet paid before the lease can be left without a charge.")]
    NotServing,
    #[msg("Only the arbiter may do this.")]
    NotArbiter,
    #[msg("A case is already open on this node.")]
    CaseOpen,
    #[msg("The reason of a case is unknown.")]
    UnknownReason,
    #[msg("The owner has already answered this case.")]
    AlreadyAppealed,
    #[msg("The case cannot be decided now.")]
    CaseNotDecidable,
    #[msg("The case takes more than the caps allow in this window.")]
    CaseCapReached,
    #[msg("The case does not belong to this node.")]
    WrongCase,
    #[msg("The recipient cannot receive tokens; pass their owed account.")]
    RecipientCannotReceive,
    #[msg("The account is not the recipient's owed account for this mint.")]
    WrongOwedAccount,
    #[msg("The node is not retired.")]
    NodeNotRetired,
    #[msg("The vault is still in use: stake, rewards or leases are left.")]
    VaultInUse,
    #[msg("The fee vault holds less than this would pay.")]
    FeesTooSmall,
    #[msg("Only the node's owner or its device key may do this.")]
    NotSupplier,
    #[msg("The node's last case ended too recently to open another.")]
    CaseTooSoon,
    #[msg("The chain restarted too recently to charge for missed time.")]
    ChainRecovering,
    #[msg("The node was not ready in time and has not said since that it is there again.")]
    NodeAbsent,
    #[msg("The node is not marked as absent.")]
    NodeNotAbsent,
    #[msg("An authority's transaction must not use a durable nonce.")]
    DurableNonce,
    #[msg("The payout is locked; only the address it is locked to may release it.")]
    PayoutLocked,
    #[msg("The payout is not locked to this address.")]
    PayoutNotLocked,
    #[msg("A payout can be locked for at most 1,200 days, and a lock only made longer.")]
    BadLock,
    #[msg("While the payout is locked, the price may not fall.")]
    FloorLocked,
    #[msg("The lease shares its income: pass the node's income vault.")]
    IncomeVaultRequired,
    #[msg("The account is not the node's income vault for this mint.")]
    WrongIncomeVault,
    #[msg("Income of a lease is not settled in full; settle it before more stake joins its pool.")]
    IncomeUnsettled,
}
