-- Stake behind nodes, co-staking, rewards and shared income.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE positions (
    staker_position text PRIMARY KEY,          -- the account
    position bigint NOT NULL,
    node text NOT NULL,
    staker text NOT NULL,
    owner boolean NOT NULL,                    -- of the node, not a co-staker
    shares numeric(39) NOT NULL,               -- of the node's bonded pool in `era`
    era bigint NOT NULL,
    staked numeric(20) NOT NULL,               -- put in and taken out so far
    withdrawn numeric(20) NOT NULL,
    tickets json NOT NULL,                     -- unbonding: [{ticket, amount, shares, era, matures_at, lease_over_by}]
    closed boolean NOT NULL,
    reward_debt numeric(39) NOT NULL,          -- the node's reward_per_share when last settled
    rewards numeric(20) NOT NULL,              -- settled and not claimed
    rewards_claimed numeric(20) NOT NULL,
    income json NOT NULL                       -- [{currency, debt, waiting, claimed}]; debt as reward_debt
);
CREATE INDEX positions_node ON positions (node, staker_position);
CREATE INDEX positions_staker ON positions (staker, staker_position);
CREATE INDEX positions_owner ON positions (owner, staker_position);
CREATE INDEX positions_changed ON positions (position);

CREATE TABLE stake_moves (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- stake, unbond, withdraw
    node text NOT NULL,
    staker_position text,                      -- null: a refill
    staker text NOT NULL,
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,
    matures_at bigint,                         -- of an unbond
    owed boolean NOT NULL
);
CREATE INDEX stake_moves_node ON stake_moves (node, position);
CREATE INDEX stake_moves_staker ON stake_moves (staker, position);
CREATE INDEX stake_moves_kind ON stake_moves (kind, position);

CREATE TABLE co_stake_terms (
    position bigint PRIMARY KEY,
    node text NOT NULL,
    at bigint NOT NULL,
    share_before integer NOT NULL,             -- basis points of the co-stakers' part of rewards that they get
    share integer NOT NULL,
    income_share_before integer NOT NULL,      -- basis points of leases' income, to all bonded shares
    income_share integer NOT NULL,
    pending_share integer NOT NULL,
    pending_income_share integer NOT NULL,
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
CREATE INDEX rewards_kind ON rewards (kind, position);

CREATE TABLE income (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- shared, claimed
    node text NOT NULL,
    currency text NOT NULL,
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,               -- of what was shared, the owner's part stayed with the payout
    lease text,                                -- that earned what was shared
    to_co_stakers numeric(20),                 -- of what was shared
    wallet text,                               -- of a claim
    staker_position text,                      -- of a claim
    owed boolean NOT NULL
);
CREATE INDEX income_node ON income (node, position);
CREATE INDEX income_lease ON income (lease, position);
CREATE INDEX income_wallet ON income (wallet, position);
CREATE INDEX income_kind ON income (kind, position);
CREATE INDEX income_currency ON income (currency, position);

CREATE TABLE income_vaults (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- opened, closed
    node text NOT NULL,
    currency text NOT NULL,
    at bigint NOT NULL,
    vault text,                                -- of an opening
    surplus numeric(20)                        -- of a closing: tokens beyond the books
);
CREATE INDEX income_vaults_node ON income_vaults (node, position);
CREATE INDEX income_vaults_vault ON income_vaults (vault);
CREATE INDEX income_vaults_kind ON income_vaults (kind, position);
CREATE INDEX income_vaults_currency ON income_vaults (currency, position);
