-- Cases of the arbiter.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE cases (
    case_account text PRIMARY KEY,
    position bigint NOT NULL,
    node text NOT NULL,
    owner text NOT NULL,                       -- the node's
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
CREATE INDEX cases_node ON cases (node, opened_at, case_account);
CREATE INDEX cases_owner ON cases (owner, opened_at, case_account);
CREATE INDEX cases_evidence ON cases (evidence_hash);
CREATE INDEX cases_appeal ON cases (appeal_hash);
CREATE INDEX cases_status ON cases (status, opened_at, case_account);
CREATE INDEX cases_opened ON cases (opened_at, case_account);
