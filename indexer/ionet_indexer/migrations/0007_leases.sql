-- Leases, and the work that they are for the launcher.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE leases (
    lease text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    node text NOT NULL,
    owner text NOT NULL,                       -- the node's
    cluster text NOT NULL,
    renter text NOT NULL,                      -- the cluster's
    currency text NOT NULL,                    -- the cluster's
    model integer NOT NULL,                    -- the node's, when it was booked
    country integer NOT NULL,
    number numeric(20) NOT NULL,
    role text,                                 -- head, worker; null until it is accepted
    processors integer NOT NULL,
    price numeric(20) NOT NULL,                -- currency units per processor-hour
    duration bigint NOT NULL,
    max_duration bigint NOT NULL,
    interval_secs bigint NOT NULL,
    required_stake numeric(20) NOT NULL,
    io_price numeric(20) NOT NULL,
    status text NOT NULL,                      -- booked, ready, active, ended, cancelled, closed
    end_reason text,
    ended_by text,                             -- null: its time or a deadline passed
    booked_at bigint NOT NULL,
    ready_by bigint NOT NULL,
    ready_at bigint,
    report_hash text,
    accept_by bigint,
    started_at bigint,
    ends_at bigint,
    closed_at bigint,
    locked numeric(20) NOT NULL,               -- still locked in the cluster for it
    moved_secs bigint NOT NULL,                -- by which restarts of the chain have moved started_at and ends_at
    rest_secs bigint NOT NULL,                 -- of the first hour, for which the renter did not stay
    unanswered_secs bigint NOT NULL,           -- ready and not answered: paid
    proof_count bigint NOT NULL,
    proof_head text,
    last_interval bigint,
    paid numeric(20) NOT NULL,                 -- earned and paid so far, before fees
    supplier_fee numeric(20) NOT NULL,
    renter_fee numeric(20) NOT NULL,
    burned numeric(20) NOT NULL,               -- price of time that the renter owes and nobody gets
    burned_secs bigint,                        -- named on leaving; null when rejected: no event tells them
    payable_secs numeric(20) NOT NULL,         -- paid for, at the last settlement
    served_secs numeric(20),                   -- proven in all, known when it closes
    missed_secs numeric(20) NOT NULL,
    released numeric(20) NOT NULL,             -- given back to the cluster's budget
    approved_through bigint NOT NULL,          -- first interval that is not approved
    disputes bigint NOT NULL,                  -- so far
    dispute_from bigint,                       -- intervals still in dispute: from, before
    dispute_to bigint,
    disputed_secs bigint NOT NULL,             -- served seconds still in dispute: held
    dispute_bond numeric(20) NOT NULL,
    defend_by bigint,
    bond_due numeric(20) NOT NULL,             -- won by the supplier, not paid yet
    bond_paid numeric(20) NOT NULL,
    undefended_secs bigint NOT NULL            -- served seconds that nobody defended: never the supplier's
);
CREATE INDEX leases_cluster ON leases (cluster, booked_at, lease);
CREATE INDEX leases_node ON leases (node, booked_at, lease);
CREATE INDEX leases_owner ON leases (owner, booked_at, lease);
CREATE INDEX leases_renter ON leases (renter, booked_at, lease);
CREATE INDEX leases_run ON leases (node, booked_at) WHERE started_at IS NOT NULL;
CREATE INDEX leases_number ON leases (number);
CREATE INDEX leases_report ON leases (report_hash);
CREATE INDEX leases_status ON leases (status, booked_at, lease);
CREATE INDEX leases_currency ON leases (currency, booked_at, lease);
CREATE INDEX leases_disputed ON leases (booked_at, lease) WHERE dispute_to IS NOT NULL;
CREATE INDEX leases_booked ON leases (booked_at, lease);

-- What the launcher works off; its only input. One row per lease, written in the transaction that writes the event,
-- withdrawn when its slot is undone. Channel `lease_work` is notified after every change. See docs/indexer.md.
CREATE TABLE lease_work (
    lease text PRIMARY KEY,
    node text NOT NULL,
    cluster text NOT NULL,
    cluster_id numeric(20) NOT NULL,
    lease_number numeric(20) NOT NULL,
    role text,                                 -- head, worker; null until it is accepted
    processors integer NOT NULL,
    status text NOT NULL,                      -- as in leases: the phase the chain wants
    ready_by bigint NOT NULL,
    accept_by bigint,
    ends_at bigint,
    interval_secs bigint NOT NULL,
    slot bigint NOT NULL,                      -- of the last change
    updated_at bigint NOT NULL,                -- block time of the last change
    finalized boolean NOT NULL,                -- the last change can no longer be undone
    dispute_from bigint,                       -- intervals still in dispute: from, before; null without a dispute
    dispute_to bigint,
    defend_by bigint                           -- what is not defended by then is lost to the supplier
);
CREATE INDEX lease_work_cluster ON lease_work (cluster, lease);
CREATE INDEX lease_work_unfinalized ON lease_work (slot) WHERE NOT finalized;
