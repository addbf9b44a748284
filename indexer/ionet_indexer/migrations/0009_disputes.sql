-- Approvals, disputes and defences.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE approvals (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    at bigint NOT NULL,
    through_interval bigint NOT NULL,          -- intervals before it are paid at once
    proof_head text NOT NULL,
    signer text NOT NULL
);
CREATE INDEX approvals_lease ON approvals (lease, position);
CREATE INDEX approvals_node ON approvals (node, position);
CREATE INDEX approvals_cluster ON approvals (cluster, position);

CREATE TABLE disputes (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    node text NOT NULL,
    cluster text NOT NULL,
    currency text NOT NULL,                    -- the cluster's
    at bigint NOT NULL,
    from_interval bigint NOT NULL,
    to_interval bigint NOT NULL,
    served_secs bigint NOT NULL,               -- of the range
    bond numeric(20) NOT NULL,
    defend_by bigint NOT NULL,
    signer text NOT NULL,
    outcome text NOT NULL                      -- open, defended, undefended; kept by the triggers of dispute_ends
);
CREATE INDEX disputes_outcome ON disputes (outcome, position);
CREATE INDEX disputes_lease ON disputes (lease, position);
CREATE INDEX disputes_node ON disputes (node, position);
CREATE INDEX disputes_cluster ON disputes (cluster, position);
CREATE INDEX disputes_currency ON disputes (currency, position);

CREATE TABLE defences (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    at bigint NOT NULL,
    interval bigint NOT NULL,
    defended boolean NOT NULL,                 -- false: the proof chain was only walked back
    served_secs bigint NOT NULL,
    bond_part numeric(20) NOT NULL,
    dispute_to bigint NOT NULL,                -- intervals from here on are no longer in dispute
    signer text NOT NULL
);
CREATE INDEX defences_lease ON defences (lease, position);

CREATE TABLE dispute_ends (
    position bigint PRIMARY KEY,
    lease text NOT NULL,
    at bigint NOT NULL,
    undefended_secs bigint NOT NULL,
    bond_returned numeric(20) NOT NULL,
    bond_due numeric(20) NOT NULL
);
CREATE INDEX dispute_ends_lease ON dispute_ends (lease, position);

CREATE FUNCTION keep_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE disputes SET outcome = CASE WHEN NEW.undefended_secs > 0 THEN 'undefended' ELSE 'defended' END
        WHERE position = (SELECT max(position) FROM disputes WHERE lease = NEW.lease AND position < NEW.position);
    ELSE
        UPDATE disputes SET outcome = 'open'
        WHERE position = (SELECT max(position) FROM disputes WHERE lease = OLD.lease AND position < OLD.position);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER dispute_ends_came_or_went AFTER INSERT OR DELETE ON dispute_ends
FOR EACH ROW EXECUTE FUNCTION keep_outcome();

-- A dispute with what came of it; a lease has one at a time.
CREATE VIEW dispute_outcomes AS
SELECT d.*, coalesce(f.to_now, d.to_interval) AS undefended_to, coalesce(f.secs, 0) AS defended_secs,
       coalesce(f.bond, 0) AS bond_lost, coalesce(f.intervals, 0) AS defended_intervals,
       r.position AS ended_position, r.at AS ended_at, r.undefended_secs, r.bond_returned
FROM disputes d
LEFT JOIN LATERAL (
    SELECT e.* FROM dispute_ends e WHERE e.lease = d.lease AND e.position > d.position ORDER BY e.position LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT min(dispute_to) AS to_now, sum(served_secs)::bigint AS secs, sum(bond_part) AS bond, count(*) AS intervals
    FROM defences f
    WHERE f.lease = d.lease AND f.defended AND f.position > d.position AND f.position < coalesce(r.position, f.position + 1)
) f ON true;
