-- Payments that wait for their owners.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE owed (
    position bigint NOT NULL,
    kind text NOT NULL,                        -- owed, claimed
    owner text NOT NULL,
    currency text NOT NULL,
    at bigint NOT NULL,
    amount numeric(20) NOT NULL,
    reason text,                               -- payment, refund, stake, rewards, income, fees; null for a claim
    source text,                               -- lease, cluster or node it came from
    PRIMARY KEY (position, owner)
);
CREATE INDEX owed_owner ON owed (owner, position);
CREATE INDEX owed_balance ON owed (owner, currency, position);
CREATE INDEX owed_currency ON owed (currency, position, owner);
CREATE INDEX owed_kind ON owed (kind, position, owner);

-- What waits in owed accounts; a claim empties one. Kept in step with `owed` by its triggers (0013).
CREATE TABLE owed_balances (
    owner text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    position bigint NOT NULL,                  -- of the last payment in it
    PRIMARY KEY (owner, currency)
);
CREATE INDEX owed_balances_currency ON owed_balances (currency, owner);
CREATE INDEX owed_balances_changed ON owed_balances (position);
