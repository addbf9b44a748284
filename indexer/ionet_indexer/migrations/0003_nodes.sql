-- Nodes, their slashes and the locks of their payouts.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE nodes (
    node text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    registered_at bigint NOT NULL,
    owner text NOT NULL,
    device_key text NOT NULL,
    model integer NOT NULL,
    processors integer NOT NULL,
    payout text NOT NULL,
    payout_locked_until bigint,                -- until then only `payout` itself can end the lock
    fee_payer text NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per processor-hour
    min_duration bigint NOT NULL,              -- seconds
    max_duration bigint NOT NULL,
    min_coverage_bps bigint NOT NULL,
    country integer NOT NULL,                  -- ISO 3166-1 numeric
    region integer NOT NULL,
    tier integer NOT NULL,                     -- connectivity as measured; 0 = unknown
    currencies integer NOT NULL,               -- bits of `Currency`
    terms_seq bigint NOT NULL,
    flags integer NOT NULL,                    -- bits of `NodeFlag`
    current_lease text,
    bonded numeric(20) NOT NULL,
    bonded_shares numeric(39) NOT NULL,
    bonded_era bigint NOT NULL,
    unbonding numeric(20) NOT NULL,
    unbonding_shares numeric(39) NOT NULL,
    unbonding_era bigint NOT NULL,
    slashed numeric(20) NOT NULL,
    leases_booked bigint NOT NULL,
    leases_closed bigint NOT NULL,
    served_secs numeric(20) NOT NULL,
    missed_secs numeric(20) NOT NULL,
    earned numeric(20) NOT NULL,
    earned_usdc numeric(20) NOT NULL,          -- the part of `earned` (IOSD and USDC) that was USDC
    earned_io numeric(20) NOT NULL,
    owner_bonded_shares numeric(39) NOT NULL,
    owner_unbonding_shares numeric(39) NOT NULL,
    refill numeric(20) NOT NULL,               -- put in while frozen, outside the shares
    co_share_bps integer NOT NULL,
    pending_co_share_bps integer NOT NULL,
    income_share_bps integer NOT NULL,         -- of leases' income, to all bonded shares
    pending_income_share_bps integer NOT NULL,
    pending_co_share_at bigint,                -- when both pending shares bind
    reward_per_share numeric(39) NOT NULL,     -- × 2^64
    owner_rewards numeric(20) NOT NULL,
    co_rewards numeric(20) NOT NULL,
    co_settled numeric(20) NOT NULL,           -- of co_rewards, settled by positions and not claimed
    income json NOT NULL,                      -- co-stakers': [{currency, vault, per_share, unclaimed, settled}]
    cases bigint NOT NULL,                     -- opened so far
    open_case text,
    vault_closed boolean NOT NULL
);
CREATE INDEX nodes_offer ON nodes (model, price, node);
CREATE INDEX nodes_price ON nodes (price, node);
CREATE INDEX nodes_owner ON nodes (owner, price, node);
CREATE INDEX nodes_payout ON nodes (payout);
CREATE INDEX nodes_country ON nodes (country, price, node);
CREATE INDEX nodes_tier ON nodes (tier, price, node);
CREATE INDEX nodes_processors ON nodes (processors, price, node);
CREATE INDEX nodes_registered ON nodes (registered_at, node);
CREATE INDEX nodes_idle ON nodes (price, node) WHERE flags = 0 AND current_lease IS NULL;

-- The program's arithmetic of stake (state/stake, state/network/device_model.rs); a test compares the numbers.
-- What shares of a pool are worth: virtual shares and assets, rounded down.
CREATE FUNCTION worth(shares numeric, pool_shares numeric, pool numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN least(div(shares * (pool + 1), pool_shares + 1000), pool);

-- The owner who holds every share holds the whole pool.
CREATE FUNCTION owner_stake(owner_shares numeric, pool_shares numeric, pool numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE
    WHEN owner_shares > 0 AND owner_shares = pool_shares THEN pool ELSE worth(owner_shares, pool_shares, pool)
END;

-- Co-stake counts up to its part of the whole.
CREATE FUNCTION counted_stake(owner_shares numeric, pool_shares numeric, pool numeric, co_stake_max_percent integer)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN owner_stake(owner_shares, pool_shares, pool) + least(
    pool - owner_stake(owner_shares, pool_shares, pool),
    div(owner_stake(owner_shares, pool_shares, pool) * co_stake_max_percent, 100 - co_stake_max_percent)
);

-- Processors of less than multiplier 1.00 need the stake of 1.00.
CREATE FUNCTION required_stake(stake_per_processor numeric, multiplier bigint, processors integer) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ceil(stake_per_processor * greatest(multiplier, 100) * processors / 100);

CREATE TABLE slashes (
    position bigint PRIMARY KEY,
    node text NOT NULL,
    lease text,                                -- null: of a case
    at bigint NOT NULL,
    reason text NOT NULL,                      -- missed, quit, promise, case
    bps integer NOT NULL,
    missed_secs numeric(20) NOT NULL,
    amount numeric(20) NOT NULL,
    from_bonded numeric(20) NOT NULL,
    from_unbonding numeric(20) NOT NULL,
    to_renter numeric(20) NOT NULL,
    to_reporter numeric(20) NOT NULL,
    burned numeric(20) NOT NULL,
    reporter text NOT NULL
);
CREATE INDEX slashes_node ON slashes (node, position);
CREATE INDEX slashes_lease ON slashes (lease, position);
CREATE INDEX slashes_reason ON slashes (reason, position);

-- Every change of what a node offers, with all that was in force from then on.
CREATE TABLE node_terms (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- registered, updated, key-rotated
    node text NOT NULL,
    at bigint NOT NULL,
    device_key text NOT NULL,
    payout text NOT NULL,
    fee_payer text NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per processor-hour
    min_duration bigint NOT NULL,
    max_duration bigint NOT NULL,
    min_coverage_bps bigint NOT NULL,
    country integer NOT NULL,
    region integer NOT NULL,
    currencies integer NOT NULL,               -- bits of `Currency`
    terms_seq bigint NOT NULL
);
CREATE INDEX node_terms_node ON node_terms (node, position);
CREATE INDEX node_terms_key ON node_terms (device_key, position);
CREATE INDEX node_terms_kind ON node_terms (kind, position);

CREATE TABLE payout_locks (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- locked, released
    node text NOT NULL,
    at bigint NOT NULL,
    payout text NOT NULL,                      -- who income goes to, and who alone may release it
    payout_before text,                        -- of a lock
    until bigint,                              -- of a lock
    until_before bigint                        -- null: there was none
);
CREATE INDEX payout_locks_node ON payout_locks (node, position);
CREATE INDEX payout_locks_payout ON payout_locks (payout, position);
CREATE INDEX payout_locks_kind ON payout_locks (kind, position);
