-- Sums over the intervals of a lease, 32 at a time, so that no request adds up a lease from its start. By the last proof of
-- each interval. Derived from events; `ionet indexer rebuild` empties and refills it.

CREATE TABLE lease_sums (
    lease text NOT NULL,
    block bigint NOT NULL,                     -- interval / 32
    served bigint NOT NULL,                    -- seconds
    kept bigint NOT NULL,                      -- intervals
    kept_served bigint NOT NULL,               -- seconds of these
    PRIMARY KEY (lease, block)
);

CREATE FUNCTION keep_lease_sums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO lease_sums AS t
    SELECT r.lease, r.interval / 32, sum(sign * (r.served_secs - r.served_before)), sum(sign * r.kept_first::integer),
           sum(sign * CASE WHEN r.kept_first THEN r.served_secs WHEN r.kept THEN r.served_secs - r.served_before ELSE 0 END)
    FROM changed r GROUP BY 1, 2
    ON CONFLICT (lease, block) DO UPDATE SET served = t.served + excluded.served, kept = t.kept + excluded.kept,
        kept_served = t.kept_served + excluded.kept_served;
    RETURN NULL;
END $$;
CREATE TRIGGER lease_sums_proofs_inserted AFTER INSERT ON proofs REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_lease_sums();
CREATE TRIGGER lease_sums_proofs_deleted AFTER DELETE ON proofs REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_lease_sums();

-- Which settlement paid up to here.
CREATE INDEX payments_payable ON payments (lease, payable_secs, position);

-- What the intervals of a lease that is closed count for its node's reputation: seconds kept and paid for, and those of
-- intervals that were not kept. Nothing comes to such a lease any more, so its log is gone through once, when it is
-- closed: the writer saves what events tell of intervals and payments before the leases. Of a lease that is open the API takes the sums above.
CREATE TABLE reputation_days (
    lease text NOT NULL,
    day bigint NOT NULL,                       -- since 1970, in which the intervals ended
    node text NOT NULL,
    kept bigint NOT NULL,                      -- seconds
    unkept bigint NOT NULL,
    PRIMARY KEY (lease, day)
);
CREATE INDEX reputation_days_node ON reputation_days (node, day);

CREATE FUNCTION lease_reputation(of_lease text) RETURNS TABLE (day bigint, kept bigint, unkept bigint)
LANGUAGE sql STABLE AS $$
    SELECT g.ends_at / 86400,
           sum(CASE WHEN g.kept AND g.challenge IS DISTINCT FROM 'undefended' AND g.payment IS NOT NULL THEN g.secs
                    ELSE 0 END),
           sum(CASE WHEN g.kept IS TRUE AND g.challenge IS DISTINCT FROM 'undefended' THEN 0
                    ELSE g.ends_at - g.starts_at END)
    FROM lease_log(of_lease) g
    WHERE g.challenge IS DISTINCT FROM 'disputed' AND g.challenge IS DISTINCT FROM 'unchallenged'
    GROUP BY 1
$$;

-- Leases that were closed went, or are about to come back.
CREATE FUNCTION drop_reputation_days() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM reputation_days r USING was w WHERE w.status = 'closed' AND r.lease = w.lease;
    RETURN NULL;
END $$;

-- The leases that came or changed are `changed`. However many they are, each is found by its index: the plan is made when
-- the tables are still small.
CREATE FUNCTION make_reputation_days() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed WHERE status = 'closed' AND started_at IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    WITH closed AS MATERIALIZED (
        -- Mostly nothing was challenged and all is paid for; then the proofs say it all, at a tenth of the cost.
        SELECT l.*, coalesce(l.burned_secs, 0) = 0 AND l.disputes = 0
               AND NOT EXISTS (SELECT FROM disputes d WHERE d.lease = l.lease)
               AND NOT EXISTS (SELECT FROM defences d WHERE d.lease = l.lease)
               AND l.payable_secs >= (SELECT coalesce(sum(s.served), 0) FROM lease_sums s WHERE s.lease = l.lease)
               AND l.ends_at <= (SELECT time FROM newest) AS plain
        FROM changed l WHERE l.status = 'closed' AND l.started_at IS NOT NULL
    )
    INSERT INTO reputation_days
    SELECT l.lease, x.day, l.node, x.kept, x.unkept
    FROM closed l CROSS JOIN LATERAL (
        SELECT least(l.started_at + (n + 1) * l.interval_secs, l.ends_at) / 86400 AS day,
               coalesce(sum(p.served_secs) FILTER (WHERE p.kept), 0) AS kept,
               coalesce(sum(least(l.interval_secs, l.ends_at - l.started_at - n * l.interval_secs))
                        FILTER (WHERE p.kept IS NOT TRUE), 0) AS unkept
        FROM generate_series(0, greatest(
            (l.ends_at - l.started_at + l.interval_secs - 1) / l.interval_secs, l.last_interval + 1) - 1) n
        LEFT JOIN (
            SELECT DISTINCT ON (x.interval) x.interval, x.served_secs, x.kept FROM proofs x WHERE x.lease = l.lease
            ORDER BY x.interval, x.position DESC
        ) p ON p.interval = n
        GROUP BY 1
    ) x
    WHERE l.plain
    UNION ALL
    SELECT l.lease, r.day, l.node, r.kept, r.unkept
    FROM closed l CROSS JOIN LATERAL lease_reputation(l.lease) r WHERE l.plain IS NOT TRUE;
    RETURN NULL;
END $$;

-- In the order of their names: what was is dropped before anything is made.
CREATE TRIGGER reputation_days_dropped AFTER UPDATE ON leases REFERENCING OLD TABLE AS was
FOR EACH STATEMENT EXECUTE FUNCTION drop_reputation_days();
CREATE TRIGGER reputation_days_gone AFTER DELETE ON leases REFERENCING OLD TABLE AS was
FOR EACH STATEMENT EXECUTE FUNCTION drop_reputation_days();
CREATE TRIGGER reputation_days_made AFTER UPDATE ON leases REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION make_reputation_days();
CREATE TRIGGER reputation_days_new AFTER INSERT ON leases REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION make_reputation_days();
