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

-- What waits in owed accounts; a claim empties one.
CREATE VIEW owed_balances AS
SELECT o.owner, o.currency, sum(o.amount) AS amount, max(o.position) AS position
FROM owed o
WHERE o.kind = 'owed' AND NOT EXISTS (
    SELECT FROM owed c
    WHERE c.kind = 'claimed' AND c.owner = o.owner AND c.currency = o.currency AND c.position > o.position
)
GROUP BY o.owner, o.currency;
