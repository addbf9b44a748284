-- What an interval of a lease counts for in its node's reputation, in seconds, has one home in SQL. It is the rule of
-- `ionet.rules.reputation.counted`. The rows stay as they are: nothing is folded again.

CREATE FUNCTION interval_counts(length bigint, secs bigint, kept boolean, challenge text, paid boolean)
RETURNS TABLE (good bigint, bad bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN i.is_good AND paid THEN secs ELSE 0 END, CASE WHEN i.is_good THEN 0 ELSE length END
    FROM (SELECT kept IS TRUE AND challenge IS DISTINCT FROM 'undefended' AS is_good) i
    WHERE challenge IS DISTINCT FROM 'disputed' AND challenge IS DISTINCT FROM 'unchallenged'
$$;

CREATE OR REPLACE FUNCTION lease_reputation(of_lease text) RETURNS TABLE (day bigint, kept bigint, unkept bigint)
LANGUAGE sql STABLE AS $$
    SELECT g.ends_at / 86400, sum(c.good), sum(c.bad)
    FROM lease_log(of_lease) g
    CROSS JOIN LATERAL interval_counts(g.ends_at - g.starts_at, g.secs, g.kept, g.challenge, g.payment IS NOT NULL) c
    GROUP BY 1
$$;

-- As in 0018_lease_sums.sql, with that function.
CREATE OR REPLACE FUNCTION make_reputation_days() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
        SELECT i.ends_at / 86400 AS day, sum(c.good) AS kept, sum(c.bad) AS unkept
        FROM generate_series(0, greatest(
            (l.ends_at - l.started_at + l.interval_secs - 1) / l.interval_secs, l.last_interval + 1) - 1) n
        CROSS JOIN LATERAL (
            SELECT l.started_at + n * l.interval_secs AS starts_at,
                   least(l.started_at + (n + 1) * l.interval_secs, l.ends_at) AS ends_at
        ) i
        LEFT JOIN (
            SELECT DISTINCT ON (x.interval) x.interval, x.served_secs, x.kept FROM proofs x WHERE x.lease = l.lease
            ORDER BY x.interval, x.position DESC
        ) p ON p.interval = n
        CROSS JOIN LATERAL interval_counts(i.ends_at - i.starts_at, p.served_secs, p.kept, NULL, true) c
        GROUP BY 1
    ) x
    WHERE l.plain
    UNION ALL
    SELECT l.lease, r.day, l.node, r.kept, r.unkept
    FROM closed l CROSS JOIN LATERAL lease_reputation(l.lease) r WHERE l.plain IS NOT TRUE;
    RETURN NULL;
END $$;
