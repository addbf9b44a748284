-- Disputes, cases, co-staking, redemption, governance, and payments that wait for their owners.
-- Conventions are those of 0002. Rows made before must be folded again, which the next writer does.

ALTER TABLE checkpoint ADD COLUMN refold boolean NOT NULL DEFAULT false;  -- derived tables are older than the schema
UPDATE checkpoint SET refold = true;

-- states -------------------------------------------------------------------------------------------------------------

ALTER TABLE networks
    ADD COLUMN params json,                            -- null until they were first changed
    ADD COLUMN pending_params json,
    ADD COLUMN pending_params_at bigint,               -- when they may be applied
    ADD COLUMN pending_role text,                      -- authority, pauser, arbiter, feed
    ADD COLUMN pending_role_value text,
    ADD COLUMN pending_role_at bigint;

ALTER TABLE models ADD COLUMN enabled boolean NOT NULL DEFAULT true;

ALTER TABLE nodes
    ADD COLUMN earned_usdc numeric(20) NOT NULL DEFAULT 0,      -- the part of `earned` (IOSD and USDC) that was USDC
    ADD COLUMN earned_io numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN owner_bonded_shares numeric(39) NOT NULL DEFAULT 0,
    ADD COLUMN owner_unbonding_shares numeric(39) NOT NULL DEFAULT 0,
    ADD COLUMN refill numeric(20) NOT NULL DEFAULT 0,           -- put in while frozen, outside the shares
    ADD COLUMN co_share_bps integer NOT NULL DEFAULT 0,
    ADD COLUMN pending_co_share_bps integer NOT NULL DEFAULT 0,
    ADD COLUMN pending_co_share_at bigint,
    ADD COLUMN reward_per_share numeric(39) NOT NULL DEFAULT 0, -- × 2^64
    ADD COLUMN owner_rewards numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN co_rewards numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN co_settled numeric(20) NOT NULL DEFAULT 0,       -- of co_rewards, settled by positions and not claimed
    ADD COLUMN cases bigint NOT NULL DEFAULT 0,                 -- opened so far
    ADD COLUMN open_case text,
    ADD COLUMN vault_closed boolean NOT NULL DEFAULT false;

ALTER TABLE positions
    ADD COLUMN reward_debt numeric(39) NOT NULL DEFAULT 0,      -- the node's reward_per_share when last settled
    ADD COLUMN rewards numeric(20) NOT NULL DEFAULT 0,          -- settled and not claimed
    ADD COLUMN rewards_claimed numeric(20) NOT NULL DEFAULT 0;

CREATE TABLE cases (
    case_account text PRIMARY KEY,
    position bigint NOT NULL,
    node text NOT NULL,
    number numeric(20) NOT NULL,
    arbiter text NOT NULL,
    reason text NOT NULL,                      -- false-hardware, false-proofs, data-theft, other
    evidence_hash text NOT NULL,
    opened_at bigint NOT NULL,
    decide_from bigint NOT NULL,
    decide_by bigint NOT NULL,
    status text NOT NULL,                      -- open, appealed, decided, dismissed
    appealed_at bigint,
    appeal_hash text,
    decided_at bigint,
    decided_by text,
    bps integer,                               -- of the stake
    blocked boolean                            -- the node, after it
);
CREATE INDEX cases_node ON cases (node, case_account);
CREATE INDEX cases_opened ON cases (opened_at, case_account);

ALTER TABLE clusters ADD COLUMN session_changed_at bigint NOT NULL DEFAULT 0;

ALTER TABLE leases
    ADD COLUMN approved_through bigint NOT NULL DEFAULT 0,      -- first interval that is not approved
    ADD COLUMN disputes bigint NOT NULL DEFAULT 0,              -- so far
    ADD COLUMN dispute_from bigint,                             -- intervals still in dispute: from, before
    ADD COLUMN dispute_to bigint,
    ADD COLUMN disputed_secs bigint NOT NULL DEFAULT 0,         -- served seconds still in dispute: held
    ADD COLUMN dispute_bond numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN defend_by bigint,
    ADD COLUMN bond_due numeric(20) NOT NULL DEFAULT 0,         -- won by the supplier, not paid yet
    ADD COLUMN bond_paid numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN refunded_secs bigint NOT NULL DEFAULT 0;         -- served seconds that nobody defended: never paid

ALTER TABLE iosd
    ALTER COLUMN last_price DROP NOT NULL,                      -- null: the last event told only the other end
    ADD COLUMN last_high_price numeric(20),
    ADD COLUMN redeemed numeric(20) NOT NULL DEFAULT 0,
    ADD COLUMN io_redeemed numeric(20) NOT NULL DEFAULT 0;      -- IO minted by redemptions

ALTER TABLE lease_work
    ADD COLUMN dispute_from bigint,            -- intervals still in dispute: from, before; null without a dispute
    ADD COLUMN dispute_to bigint,
    ADD COLUMN defend_by bigint;               -- when what is not defended by then is refunded

-- facts --------------------------------------------------------------------------------------------------------------

ALTER TABLE payments
    ADD COLUMN bond numeric(20) NOT NULL DEFAULT 0,             -- of lost disputes, on top of supplier_amount
    ADD COLUMN owed boolean NOT NULL DEFAULT false;             -- went to the payout wallet's owed account
ALTER TABLE slashes ALTER COLUMN lease DROP NOT NULL;           -- null: of a case
ALTER TABLE stake_moves
    ALTER COLUMN staker_position DROP NOT NULL,                 -- null: a refill
    ADD COLUMN owed boolean NOT NULL DEFAULT false;

CREATE TABLE approvals (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    at bigint NOT NULL,
    through_interval bigint NOT NULL,          -- intervals before it are paid at once
    proof_head text NOT NULL,
    signer text NOT NULL
);
CREATE INDEX approvals_lease ON approvals (lease, position);

CREATE TABLE disputes (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    at bigint NOT NULL,
    from_interval bigint NOT NULL,
    to_interval bigint NOT NULL,
    served_secs bigint NOT NULL,               -- of the range
    bond numeric(20) NOT NULL,
    defend_by bigint NOT NULL,
    signer text NOT NULL
);
CREATE INDEX disputes_lease ON disputes (lease, position);
CREATE INDEX disputes_node ON disputes (node, position);

CREATE TABLE defences (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    at bigint NOT NULL,
    interval bigint NOT NULL,
    defended boolean NOT NULL,                 -- false: the proof chain was only walked back
    served_secs bigint NOT NULL,
    bond_part numeric(20) NOT NULL,
    dispute_to bigint NOT NULL,                -- intervals from here on are no longer in dispute
    signer text NOT NULL
);
CREATE INDEX defences_lease ON defences (lease, position);

CREATE TABLE dispute_ends (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    at bigint NOT NULL,
    refunded_secs bigint NOT NULL,
    bond_returned numeric(20) NOT NULL,
    bond_due numeric(20) NOT NULL
);
CREATE INDEX dispute_ends_lease ON dispute_ends (lease, position);

-- A dispute with what came of it; a lease has one at a time.
CREATE VIEW dispute_outcomes AS
SELECT d.*, coalesce(f.to_now, d.to_interval) AS undefended_to, coalesce(f.secs, 0) AS defended_secs,
       coalesce(f.bond, 0) AS bond_lost, coalesce(f.intervals, 0) AS defended_intervals,
       r.position AS ended_position, r.at AS ended_at, r.refunded_secs, r.bond_returned,
       CASE WHEN r.position IS NULL THEN 'open' WHEN r.refunded_secs > 0 THEN 'refunded' ELSE 'defended' END AS outcome
FROM disputes d
LEFT JOIN LATERAL (
    SELECT e.* FROM dispute_ends e WHERE e.lease = d.lease AND e.position > d.position ORDER BY e.position LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT min(dispute_to) AS to_now, sum(served_secs)::bigint AS secs, sum(bond_part) AS bond, count(*) AS intervals
    FROM defences f
    WHERE f.lease = d.lease AND f.defended AND f.position > d.position AND f.position < coalesce(r.position, f.position + 1)
) f ON true;

CREATE TABLE co_stake_terms (
    position bigint PRIMARY KEY,
    node text NOT NULL,
    at bigint NOT NULL,
    share_before integer NOT NULL,             -- basis points of the co-stakers' part that they get
    share integer NOT NULL,
    pending_share integer NOT NULL,
    pending_at bigint
);
CREATE INDEX co_stake_terms_node ON co_stake_terms (node, position);

CREATE TABLE rewards (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- added, claimed
    node text NOT NULL,
    wallet text NOT NULL,                      -- who gave, or whose claim it was
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,               -- IO
    staker_position text,                      -- of a claim
    to_owner numeric(20),                      -- of what was added
    to_co_stakers numeric(20),
    owed boolean NOT NULL
);
CREATE INDEX rewards_node ON rewards (node, position);
CREATE INDEX rewards_wallet ON rewards (wallet, position);

CREATE TABLE owed (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- owed, claimed
    owner text NOT NULL,
    currency text NOT NULL,
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,
    reason text,                               -- payment, refund, stake, rewards; null for a claim
    source text                                -- lease, cluster or node it came from
);
CREATE INDEX owed_owner ON owed (owner, position);

-- What waits in owed accounts; a claim empties one.
CREATE VIEW owed_balances AS
SELECT o.owner, o.currency, sum(o.amount) AS amount, max(o.position) AS position
FROM owed o
WHERE o.kind = 'owed' AND NOT EXISTS (
    SELECT FROM owed c
    WHERE c.kind = 'claimed' AND c.owner = o.owner AND c.currency = o.currency AND c.position > o.position
)
GROUP BY o.owner, o.currency;

CREATE TABLE redemptions (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    wallet text NOT NULL,
    iosd_burned numeric(20) NOT NULL,
    io_minted numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO, rounded up
    publish_time bigint NOT NULL,
    last_rate boolean NOT NULL                 -- no valid price for long: the last one was used
);
CREATE INDEX redemptions_wallet ON redemptions (wallet, position);

CREATE TABLE buybacks (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    seller text NOT NULL,
    io_burned numeric(20) NOT NULL,
    usdc_paid numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO
    publish_time bigint NOT NULL
);
CREATE INDEX buybacks_seller ON buybacks (seller, position);

CREATE TABLE prices (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- what used it: mint, redeem, refresh, buyback
    at bigint NOT NULL,
    publish_time bigint NOT NULL,
    low_price numeric(20),                     -- micro-dollars per IO that comes in
    high_price numeric(20)                     -- micro-dollars per IO that goes out
);

CREATE TABLE network_changes (
    position bigint PRIMARY KEY,
    kind text NOT NULL,         -- params-proposed params-changed role-proposed role-changed model-changed paused migrated
    at bigint NOT NULL,
    subject text NOT NULL,                     -- role, device model or network
    before text,
    after text,
    effective_at bigint,                       -- of a proposal
    params json
);

-- parameters of the network account ----------------------------------------------------------------------------------

DELETE FROM parameters;
ALTER TABLE parameters ADD COLUMN co_stake_max_percent integer NOT NULL, ADD COLUMN params json NOT NULL;

-- A change that an event told of counts at once, before the account is read again.
CREATE VIEW current_parameters AS
SELECT n.network,
       coalesce((n.params ->> 'stake_per_processor')::numeric(20), p.stake_per_processor) AS stake_per_processor,
       coalesce((n.params ->> 'co_stake_max_percent')::integer, p.co_stake_max_percent) AS co_stake_max_percent,
       coalesce(n.params, p.params) AS params
FROM networks n LEFT JOIN parameters p USING (network);
