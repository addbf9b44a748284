-- The network, its parameters and device models.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE networks (
    network text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    authority text NOT NULL,
    pauser text NOT NULL,
    arbiter text NOT NULL,
    io_mint text NOT NULL,
    iosd_mint text NOT NULL,
    usdc_mint text NOT NULL,
    feed_id text NOT NULL,
    io_genesis numeric(20) NOT NULL,
    profile text NOT NULL,
    pause_bits numeric(20) NOT NULL,
    params json,                               -- null until they were first changed
    pending_params json,
    pending_params_at bigint,                  -- when they may be applied
    pending_role text,                         -- authority, pauser, arbiter, feed
    pending_role_value text,
    pending_role_at bigint
);

CREATE TABLE models (
    model text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    code integer NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED,
    name text NOT NULL,
    kind text NOT NULL,
    pool text NOT NULL,
    multiplier bigint NOT NULL,                -- × 100
    throughput numeric(20) NOT NULL,
    reference_price numeric(20) NOT NULL,      -- micro-dollars per processor-hour; 0 = not set
    enabled boolean NOT NULL,
    pending_at bigint,                         -- when the proposed terms may be applied
    pending_position bigint,                   -- of the proposal: a later change of the authority voids it
    pending_pool text,
    pending_multiplier bigint,
    pending_throughput numeric(20),
    pending_reference_price numeric(20)
);

CREATE TABLE network_changes (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- what happened
    at bigint NOT NULL,
    subject text NOT NULL,                     -- role, device model or network
    before text,
    after text,
    effective_at bigint,                       -- of a proposal
    params json                                -- of the network, or terms of a device model
);
CREATE INDEX network_changes_kind ON network_changes (kind, position);

-- Parameters of the network account that no event carries, as reconcile last read them.
CREATE TABLE parameters (
    network text PRIMARY KEY,
    slot bigint NOT NULL,
    stake_per_processor numeric(20) NOT NULL,
    co_stake_max_percent integer NOT NULL,
    params json NOT NULL
);

-- A change that an event told of counts at once, before the account is read again.
CREATE VIEW current_parameters AS
SELECT n.network,
       coalesce((n.params ->> 'stake_per_processor')::numeric(20), p.stake_per_processor) AS stake_per_processor,
       coalesce((n.params ->> 'co_stake_max_percent')::integer, p.co_stake_max_percent) AS co_stake_max_percent,
       coalesce(n.params, p.params) AS params
FROM networks n LEFT JOIN parameters p USING (network);
