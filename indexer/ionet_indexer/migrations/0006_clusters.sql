-- Clusters: budgets of renters.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

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
    deposit numeric(20) NOT NULL,
    locked numeric(20) NOT NULL,
    paid numeric(20) NOT NULL,
    fees numeric(20) NOT NULL,                 -- `burned` among them, as in the account
    burned numeric(20) NOT NULL,               -- of `fees`, the price of time that nobody got: no fee
    refunded numeric(20) NOT NULL,
    leases_booked bigint NOT NULL,
    leases_open bigint NOT NULL,
    session_changed_at bigint NOT NULL
);
CREATE INDEX clusters_renter ON clusters (renter, opened_at, cluster);
CREATE INDEX clusters_id ON clusters (id);
CREATE INDEX clusters_session_key ON clusters (session_key);
CREATE INDEX clusters_status ON clusters (status, opened_at, cluster);
CREATE INDEX clusters_currency ON clusters (currency, opened_at, cluster);
CREATE INDEX clusters_opened ON clusters (opened_at, cluster);
