-- Tables derived from events; `ionet indexer rebuild` empties and refills them. Keys are base58, hashes hex, times unix
-- seconds, amounts base units of their mint. In a table of states `position` is that of the last event in the row.

-- states -------------------------------------------------------------------------------------------------------------

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
    pause_bits numeric(20) NOT NULL
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
    throughput numeric(20) NOT NULL
);

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
    fee_payer text NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per processor-hour
    min_duration bigint NOT NULL,              -- seconds
    max_duration bigint NOT NULL,
    min_coverage_bps bigint NOT NULL,
    country integer NOT NULL,                  -- ISO 3166-1 numeric
    region integer NOT NULL,
    tier integer NOT NULL,                     -- connectivity as measured; 0 = unknown
    currencies integer NOT NULL,               -- set of 1 IOSD, 2 USDC, 4 IO
    terms_seq bigint NOT NULL,
    flags integer NOT NULL,                    -- set of 1 paused, 2 retired, 4 blocked, 8 frozen
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
    earned numeric(20) NOT NULL
);
CREATE INDEX nodes_offer ON nodes (model, price, node);
CREATE INDEX nodes_price ON nodes (price, node);
CREATE INDEX nodes_owner ON nodes (owner);

CREATE TABLE positions (
    staker_position text PRIMARY KEY,          -- the account
    position bigint NOT NULL,
    node text NOT NULL,
    staker text NOT NULL,
    shares numeric(39) NOT NULL,               -- of the node's bonded pool in `era`
    era bigint NOT NULL,
    staked numeric(20) NOT NULL,               -- put in and taken out so far
    withdrawn numeric(20) NOT NULL,
    tickets json NOT NULL,                     -- unbonding: [{ticket, amount, shares, era, matures_at}]
    closed boolean NOT NULL
);
CREATE INDEX positions_node ON positions (node, staker_position);
CREATE INDEX positions_staker ON positions (staker, staker_position);

CREATE TABLE clusters (
    cluster text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    renter text NOT NULL,
    id numeric(20) NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    mint text NOT NULL,
    session_key text,
    session_expires_at bigint NOT NULL,
    config_hash text NOT NULL,
    status text NOT NULL,                      -- open, closed
    opened_at bigint NOT NULL,
    closed_at bigint,
    head_started_at bigint,
    deposit numeric(20) NOT NULL,
    locked numeric(20) NOT NULL,
    paid numeric(20) NOT NULL,
    fees numeric(20) NOT NULL,
    refunded numeric(20) NOT NULL,
    leases_booked bigint NOT NULL,
    leases_open bigint NOT NULL
);
CREATE INDEX clusters_renter ON clusters (renter, cluster);
CREATE INDEX clusters_opened ON clusters (opened_at, cluster);

CREATE TABLE leases (
    lease text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    number numeric(20) NOT NULL,
    role text NOT NULL,                        -- head, worker
    processors integer NOT NULL,
    price numeric(20) NOT NULL,                -- currency units per processor-hour
    duration bigint NOT NULL,
    max_duration bigint NOT NULL,
    interval_secs bigint NOT NULL,
    required_stake numeric(20) NOT NULL,
    io_price numeric(20) NOT NULL,
    status text NOT NULL,                      -- booked, ready, active, ended, cancelled, closed
    end_reason text,
    booked_at bigint NOT NULL,
    ready_by bigint NOT NULL,
    ready_at bigint,
    report_hash text,
    accept_by bigint,
    started_at bigint,
    ends_at bigint,
    closed_at bigint,
    locked numeric(20) NOT NULL,      -- still locked in the cluster for it
    due_min_secs bigint NOT NULL,
    proof_count bigint NOT NULL,
    proof_head text,
    last_interval bigint,
    paid numeric(20) NOT NULL,                 -- earned and paid so far, before fees
    supplier_fee numeric(20) NOT NULL,
    renter_fee numeric(20) NOT NULL,
    payable_secs numeric(20) NOT NULL,         -- paid for, at the last settlement
    served_secs numeric(20),                   -- proven in all, known when it closes
    missed_secs numeric(20) NOT NULL,
    released numeric(20) NOT NULL              -- given back to the cluster's budget
);
CREATE INDEX leases_cluster ON leases (cluster, lease);
CREATE INDEX leases_node ON leases (node, lease);
CREATE INDEX leases_booked ON leases (booked_at, lease);

CREATE TABLE iosd (
    iosd text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    minted numeric(20) NOT NULL,
    io_burned numeric(20) NOT NULL,            -- to mint IOSD
    burned json NOT NULL,                      -- mint → burned for other reasons (fees, slashes)
    last_price numeric(20) NOT NULL,           -- micro-dollars per IO
    last_publish_time bigint NOT NULL
);

-- What the launcher works off; its only input. One row per lease, written in the transaction that writes the event,
-- withdrawn when its slot is undone. Channel `lease_work` is notified after every change. See docs/indexer.md.
CREATE TABLE lease_work (
    lease text PRIMARY KEY,
    node text NOT NULL,
    cluster text NOT NULL,
    cluster_id numeric(20) NOT NULL,
    lease_number numeric(20) NOT NULL,
    role text NOT NULL,
    processors integer NOT NULL,
    status text NOT NULL,                      -- as in leases: the phase the chain wants
    ready_by bigint NOT NULL,
    accept_by bigint,
    ends_at bigint,
    interval_secs bigint NOT NULL,
    slot bigint NOT NULL,                      -- of the last change
    updated_at bigint NOT NULL,                -- block time of the last change
    finalized boolean NOT NULL                 -- the last change can no longer be undone
);
CREATE INDEX lease_work_cluster ON lease_work (cluster, lease);
CREATE INDEX lease_work_unfinalized ON lease_work (slot) WHERE NOT finalized;

-- facts --------------------------------------------------------------------------------------------------------------

CREATE TABLE proofs (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    at bigint NOT NULL,
    interval bigint NOT NULL,
    served_before bigint NOT NULL,
    served_secs bigint NOT NULL,
    gpu_ms numeric(20) NOT NULL,
    root text NOT NULL,
    proof_head text NOT NULL,
    proof_count bigint NOT NULL
);
CREATE INDEX proofs_lease ON proofs (lease, interval, position);
CREATE INDEX proofs_node ON proofs (node, position);

CREATE TABLE payments (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    at bigint NOT NULL,
    payable_secs numeric(20) NOT NULL,
    amount numeric(20) NOT NULL,               -- earned by this settlement, before fees
    supplier_amount numeric(20) NOT NULL,
    supplier_fee numeric(20) NOT NULL,         -- of this settlement
    renter_fee numeric(20) NOT NULL,
    payout text NOT NULL
);
CREATE INDEX payments_lease ON payments (lease, position);
CREATE INDEX payments_cluster ON payments (cluster, position);

CREATE TABLE slashes (
    position bigint PRIMARY KEY,
    node text NOT NULL,
    lease text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,                      -- missed, quit, promise
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

CREATE TABLE stake_moves (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- stake, unbond, withdraw
    node text NOT NULL,
    staker_position text NOT NULL,
    staker text NOT NULL,
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,
    matures_at bigint                          -- of an unbond
);
CREATE INDEX stake_moves_node ON stake_moves (node, position);
CREATE INDEX stake_moves_staker ON stake_moves (staker, position);

CREATE TABLE mints (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    wallet text NOT NULL,
    io_burned numeric(20) NOT NULL,
    iosd_minted numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO
    publish_time bigint NOT NULL
);
CREATE INDEX mints_wallet ON mints (wallet, position);

CREATE TABLE burns (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    mint text NOT NULL,
    amount numeric(20) NOT NULL,
    burned_after numeric(20) NOT NULL
);
