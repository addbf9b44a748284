-- Proofs of intervals and payments for them.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

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
    proof_count bigint NOT NULL,
    kept boolean NOT NULL,                     -- served for at least half of its length
    kept_first boolean NOT NULL                -- the first proof by which its interval is kept
);
CREATE INDEX proofs_lease ON proofs (lease, interval, position);
CREATE INDEX proofs_lease_newest ON proofs (lease, position);
CREATE INDEX proofs_root ON proofs (root);
CREATE INDEX proofs_interval ON proofs (interval, position);
CREATE INDEX proofs_node ON proofs (node, position);

CREATE TABLE payments (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    currency text NOT NULL,                    -- the cluster's
    at bigint NOT NULL,
    payable_secs numeric(20) NOT NULL,
    processor_secs numeric(20) NOT NULL,       -- paid for by this settlement
    amount numeric(20) NOT NULL,               -- earned by this settlement, before fees
    supplier_amount numeric(20) NOT NULL,
    supplier_fee numeric(20) NOT NULL,         -- of this settlement
    renter_fee numeric(20) NOT NULL,
    burned numeric(20) NOT NULL,               -- price of time that nobody gets; no fee
    payout text NOT NULL,
    bond numeric(20) NOT NULL,                 -- of lost disputes, on top of supplier_amount
    to_stakers numeric(20) NOT NULL,           -- of supplier_amount, to co-stakers instead of the payout
    owed boolean NOT NULL                      -- went to the payout wallet's owed account
);
CREATE INDEX payments_lease ON payments (lease, position);
CREATE INDEX payments_cluster ON payments (cluster, position);
CREATE INDEX payments_node ON payments (node, position);
CREATE INDEX payments_payout ON payments (payout, position);
CREATE INDEX payments_at ON payments (at);
CREATE INDEX payments_currency ON payments (currency, position);
