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
SELECT $1, cluster, seen, booked FROM work
WHERE live OR EXISTS (
    SELECT 1 FROM launcher.cluster k WHERE k.launcher = $1 AND k.cluster = work.cluster AND k.seen_slot < work.seen
)
ON CONFLICT (launcher, cluster) DO UPDATE SET
    seen_slot = excluded.seen_slot,
    booked_slot = excluded.booked_slot,
    next_at = now(),
    phase = CASE WHEN c.phase IN ('stopped', 'failed') THEN 'planned' ELSE c.phase END,
    entered_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.entered_at END,
    planned_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.planned_at END,
    joined_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.joined_at END,
    running_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.running_at END
WHERE CASE WHEN c.phase IN ('stopped', 'failed') THEN c.booked_slot < excluded.booked_slot
    ELSE c.seen_slot < excluded.seen_slot END

-- name: take
SELECT cluster, phase, reason, extract(epoch FROM now() - entered_at)::float8 AS age FROM launcher.cluster
WHERE launcher = $1 AND phase NOT IN ('stopped', 'failed') AND next_at <= now()
ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: move
UPDATE launcher.cluster SET
    phase = $3, reason = $4, detail = $5, next_at = now() + make_interval(secs => $6),
    live = coalesce($7, live),
    entered_at = CASE WHEN phase = $3 THEN entered_at ELSE now() END,
    decided_at = CASE WHEN $3 = 'starting' AND phase = 'planned' THEN now() ELSE decided_at END,
    joined_at = CASE WHEN $3 IN ('ready', 'running') AND joined_at IS NULL THEN now() ELSE joined_at END,
    running_at = CASE WHEN $3 = 'running' AND running_at IS NULL THEN now() ELSE running_at END
WHERE launcher = $1 AND cluster = $2

-- name: leases
SELECT lease FROM lease_work WHERE cluster = $1 AND status <> 'closed' ORDER BY lease

-- name: leaf_zeros
-- Leaf 0: behind its task id.
SELECT lease, interval, substr(body, 33, 32) AS result_hash FROM leaf_sets WHERE lease = ANY($1)

-- name: members
SELECT lease, node FROM launcher.member WHERE launcher = $1 AND cluster = $2

-- name: add_members
INSERT INTO launcher.member (launcher, cluster, lease, node)
SELECT $1, $2, lease, node FROM unnest($3::text[], $4::text[]) AS m (lease, node)
ON CONFLICT DO NOTHING

-- name: remove_members
DELETE FROM launcher.member WHERE launcher = $1 AND lease = ANY($2)

-- name: overview
SELECT cluster, phase, reason, detail, live, entered_at, decided_at, joined_at, running_at,
    (SELECT count(*) FROM launcher.member m WHERE (m.launcher, m.cluster) = (c.launcher, c.cluster)) AS members
FROM launcher.cluster c WHERE launcher = $1 ORDER BY planned_at
