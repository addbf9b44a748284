-- The launcher's statements by name; its tables are in migrations/.

-- name: schema
CREATE SCHEMA IF NOT EXISTS launcher;
CREATE TABLE IF NOT EXISTS launcher.migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())

-- name: lock
SELECT pg_advisory_xact_lock($1)

-- name: migrations
SELECT name FROM launcher.migration

-- name: migrated
INSERT INTO launcher.migration (name) VALUES ($1)

-- name: plan
-- Clusters with live leases that are new, changed, or booked again after they stopped; all others stay as they are.
WITH work AS (
    SELECT cluster, max(slot) AS seen, coalesce(max(slot) FILTER (WHERE status = 'booked'), 0) AS booked,
        bool_or(status IN ('booked', 'ready', 'active')) AS live
    FROM lease_work GROUP BY cluster
)
INSERT INTO launcher.cluster AS c (launcher, cluster, seen_slot, booked_slot)
SELECT $1, work.cluster, seen, booked FROM work
LEFT JOIN launcher.cluster k ON k.launcher = $1 AND k.cluster = work.cluster
-- Looked at before: ON CONFLICT would lock every row that there is, at every notification.
WHERE CASE WHEN k.cluster IS NULL THEN work.live WHEN k.phase IN ('stopped', 'failed') THEN k.booked_slot < work.booked
    ELSE k.seen_slot < work.seen END
ORDER BY work.cluster -- as every launcher does, so that two of them do not lock each other out
ON CONFLICT (launcher, cluster) DO UPDATE SET
    seen_slot = excluded.seen_slot,
    booked_slot = excluded.booked_slot,
    next_at = now(),
    phase = CASE WHEN c.phase IN ('stopped', 'failed') THEN 'planned' ELSE c.phase END,
    entered_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.entered_at END,
    planned_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.planned_at END,
    joined_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.joined_at END,
    running_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.running_at END,
    trouble_since = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.trouble_since END
WHERE CASE WHEN c.phase IN ('stopped', 'failed') THEN c.booked_slot < excluded.booked_slot
    ELSE c.seen_slot < excluded.seen_slot END

-- name: claim
-- Those that wait longest, for $3 seconds; what another process has claimed is left to it while it lives.
-- An array, or a plan may look for them again for every row.
UPDATE launcher.cluster c SET claimed_by = $2, claimed_until = now() + make_interval(secs => $3)
WHERE launcher = $1 AND cluster = ANY(ARRAY(
    SELECT cluster FROM launcher.cluster
    WHERE launcher = $1 AND phase NOT IN ('stopped', 'failed') AND next_at <= now()
        AND (claimed_until IS NULL OR claimed_until <= now())
    ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED
))
RETURNING c.cluster, c.phase, c.reason, c.seen_slot, c.booked_slot,
    extract(epoch FROM now() - c.entered_at)::float8 AS age,
    coalesce(extract(epoch FROM now() - c.trouble_since), 0)::float8 AS trouble,
    ARRAY(
        SELECT w.lease FROM lease_work w WHERE w.cluster = c.cluster AND w.status <> 'closed'
        UNION SELECT r.lease FROM launcher.replacement r WHERE r.launcher = c.launcher AND r.cluster = c.cluster
        ORDER BY lease
    ) AS leases,
    coalesce((
        SELECT json_object_agg(t.lease, extract(epoch FROM now() - t.since)) FROM launcher.trouble t
        WHERE t.launcher = c.launcher AND t.cluster = c.cluster
    ), '{}')::text AS troubles,
    coalesce((
        SELECT json_object_agg(m.lease, extract(epoch FROM now() - m.started_at)) FROM launcher.member m
        WHERE m.launcher = c.launcher AND m.cluster = c.cluster
    ), '{}')::text AS opened,
    coalesce((
        SELECT json_object_agg(m.lease, m.phase) FROM launcher.member m
        WHERE m.launcher = c.launcher AND m.cluster = c.cluster
    ), '{}')::text AS phases,
    coalesce((
        SELECT json_object_agg(n.lease, json_build_array(n.offer, extract(epoch FROM now() - n.since)))
        FROM launcher.network n
        WHERE n.launcher = c.launcher AND n.cluster = c.cluster
    ), '{}')::text AS offers,
    c.head

-- name: renew
-- Of those that nobody changes just now: it waits for no other transaction, so none can wait for it in a circle.
UPDATE launcher.cluster SET claimed_until = now() + make_interval(secs => $3)
WHERE launcher = $1 AND cluster = ANY(ARRAY(
    SELECT cluster FROM launcher.cluster WHERE launcher = $1 AND claimed_by = $2 AND cluster = ANY($4)
    FOR UPDATE SKIP LOCKED
))

-- name: release
UPDATE launcher.cluster SET claimed_by = NULL, claimed_until = NULL
WHERE launcher = $1 AND cluster = $2 AND claimed_by = $3

-- name: move
-- By the process that has claimed it and by no other. What came up since is not lost: a change of its leases is looked at
-- at once, and a booking that the step did not know of starts a cluster over that ends just now (see `plan`).
UPDATE launcher.cluster SET
    phase = $3, reason = $4, detail = $5, live = coalesce($7, live),
    next_at = CASE WHEN seen_slot > $10 THEN now() ELSE now() + make_interval(secs => $6) END,
    booked_slot = CASE WHEN $3 IN ('stopped', 'failed') THEN $11 ELSE booked_slot END,
    trouble_since = CASE WHEN $8::boolean IS NULL THEN trouble_since WHEN $8 THEN coalesce(trouble_since, now()) END,
    claimed_by = NULL, claimed_until = NULL,
    entered_at = CASE WHEN phase = $3 THEN entered_at ELSE now() END,
    decided_at = CASE WHEN $3 = 'starting' AND phase = 'planned' THEN now() ELSE decided_at END,
    joined_at = CASE WHEN $3 IN ('ready', 'running') AND joined_at IS NULL THEN now() ELSE joined_at END,
    running_at = CASE WHEN $3 = 'running' AND running_at IS NULL THEN now() ELSE running_at END
WHERE launcher = $1 AND cluster = $2 AND claimed_by = $9

-- name: set_offers
WITH gone AS (
    DELETE FROM launcher.network WHERE launcher = $1 AND cluster = $2 AND lease <> ALL($3::text[])
)
INSERT INTO launcher.network (launcher, cluster, lease, offer)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[])
ON CONFLICT (launcher, lease) DO UPDATE SET offer = excluded.offer,
    since = CASE WHEN launcher.network.offer = excluded.offer THEN launcher.network.since ELSE now() END

-- name: set_head
UPDATE launcher.cluster SET head = $3 WHERE launcher = $1 AND cluster = $2

-- name: set_troubles
WITH gone AS (
    DELETE FROM launcher.trouble WHERE launcher = $1 AND cluster = $2 AND lease <> ALL($3::text[])
)
INSERT INTO launcher.trouble (launcher, cluster, lease, node, reason, detail)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
ON CONFLICT (launcher, lease) DO UPDATE SET reason = excluded.reason, detail = excluded.detail

-- name: leaf_zeros
-- Leaf 0: behind its task id.
SELECT lease, interval, substr(body, 33, 32) AS result_hash FROM leaf_sets WHERE lease = ANY($1)

-- name: members
SELECT lease, node FROM launcher.member WHERE launcher = $1 AND cluster = $2

-- name: add_members
INSERT INTO launcher.member (launcher, cluster, lease, node)
SELECT $1, $2, lease, node FROM unnest($3::text[], $4::text[]) AS m (lease, node)
ON CONFLICT DO NOTHING

-- name: note_phases
UPDATE launcher.member m SET phase = p.phase FROM unnest($2::text[], $3::text[]) AS p (lease, phase)
WHERE m.launcher = $1 AND m.lease = p.lease

-- name: note_checks
UPDATE launcher.member m SET finding = coalesce(f.finding, m.finding), problem = f.problem
FROM unnest($2::text[], $3::text[], $4::text[]) AS f (lease, finding, problem)
WHERE m.launcher = $1 AND m.lease = f.lease

-- name: booked
SELECT lease, report_hash, coalesce(throughput, 0)::text AS throughput
FROM leases LEFT JOIN nodes USING (node) LEFT JOIN models ON models.code = nodes.model WHERE lease = ANY($1)

-- name: remove_members
DELETE FROM launcher.member WHERE launcher = $1 AND lease = ANY($2)

-- name: replacements
SELECT lost, lost_node, price, duration, until, node, lease, arrived,
    extract(epoch FROM now() - decided_at)::float8 AS age
FROM launcher.replacement WHERE launcher = $1 AND cluster = $2

-- name: replace
INSERT INTO launcher.replacement (launcher, cluster, lost, lost_node, price, duration, until, node, lease)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (launcher, lost) DO UPDATE SET node = excluded.node, lease = excluded.lease, decided_at = now()

-- name: arrived
UPDATE launcher.replacement SET arrived = true WHERE launcher = $1 AND lost = ANY($2)

-- name: overview
SELECT cluster, phase, reason, detail, live, entered_at, trouble_since, decided_at, joined_at, running_at,
    (SELECT count(*) FROM launcher.member m WHERE (m.launcher, m.cluster) = (c.launcher, c.cluster)) AS members
FROM launcher.cluster c WHERE launcher = $1 ORDER BY planned_at

-- name: own
WITH own AS (SELECT cluster, seq FROM clusters WHERE session_key = $1 AND status = 'open')
SELECT cluster AS address, seq AS version FROM own
UNION ALL SELECT lease, slot FROM lease_work JOIN own USING (cluster) WHERE lease_work.status <> 'closed'

-- name: note_purse
INSERT INTO launcher.purse (launcher, lamports, warning) VALUES ($1, $2, $3)
ON CONFLICT (launcher) DO UPDATE SET lamports = excluded.lamports, warning = excluded.warning, seen_at = now()

-- name: purse
SELECT lamports, warning FROM launcher.purse WHERE launcher = $1

-- name: note_advert
INSERT INTO launcher.advert (launcher, body, signature) VALUES ($1, $2, $3)
ON CONFLICT (launcher) DO UPDATE SET body = excluded.body, signature = excluded.signature

-- name: opened_by
SELECT signature FROM event_entities JOIN events USING (position)
WHERE entity = $1 AND name = 'ClusterOpened' ORDER BY position LIMIT 1
