-- What the launcher's API reads; nothing here writes.

-- name: cluster
SELECT cluster, phase, reason, detail, live,
    extract(epoch FROM entered_at)::bigint AS since,
    extract(epoch FROM trouble_since)::bigint AS trouble_since,
    extract(epoch FROM planned_at)::bigint AS planned_at,
    extract(epoch FROM decided_at)::bigint AS decided_at,
    extract(epoch FROM joined_at)::bigint AS joined_at,
    extract(epoch FROM running_at)::bigint AS running_at,
    CASE
        WHEN phase IN ('stopped', 'failed') THEN NULL
        WHEN phase = 'draining' THEN extract(epoch FROM entered_at)::bigint + $3
        ELSE (SELECT coalesce(
            max(CASE status WHEN 'booked' THEN ready_by WHEN 'ready' THEN accept_by END),
            max(ends_at) FILTER (WHERE status = 'active')
        ) FROM lease_work w WHERE w.cluster = c.cluster)
    END AS until
FROM launcher.cluster c WHERE launcher = $1 AND cluster = $2

-- name: members
-- By lease, those behind $3.
SELECT w.lease, w.node, w.role, w.status,
    CASE w.status WHEN 'booked' THEN w.ready_by WHEN 'ready' THEN w.accept_by WHEN 'active' THEN w.ends_at END AS until,
    m.phase, extract(epoch FROM m.started_at)::bigint AS asked_at, m.finding, m.problem,
    t.reason AS trouble, t.detail, extract(epoch FROM t.since)::bigint AS since,
    r.node AS next_node, r.lease AS next_lease, r.arrived
FROM lease_work w
LEFT JOIN launcher.member m ON m.launcher = $1 AND m.lease = w.lease
LEFT JOIN launcher.trouble t ON t.launcher = $1 AND t.lease = w.lease
LEFT JOIN launcher.replacement r ON r.launcher = $1 AND r.lost = w.lease
WHERE w.cluster = $2 AND w.lease > $3 ORDER BY w.lease LIMIT $4

-- name: moves
SELECT number, extract(epoch FROM at)::bigint AS at, phase, reason, detail
FROM launcher.move WHERE launcher = $1 AND cluster = $2 ORDER BY number DESC LIMIT $3

-- name: launcher
SELECT lamports, warning, body, signature
FROM (VALUES ($1::text)) AS own (launcher)
LEFT JOIN launcher.purse USING (launcher) LEFT JOIN launcher.advert USING (launcher)
