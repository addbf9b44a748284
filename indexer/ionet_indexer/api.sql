-- name: slots
SELECT indexed_slot, finalized_slot FROM checkpoint

-- name: health
SELECT c.indexed_slot, c.finalized_slot, s.node_slot, s.checked_at, s.problem FROM checkpoint c, status s

-- name: network
SELECT t.network, (t.position >> 30) AS slot, t.profile, t.authority, t.pauser, t.arbiter, t.io_mint,
       t.iosd_mint, t.usdc_mint, t.feed_id, t.pause_bits, t.io_genesis,
       t.pending_role, t.pending_role_value, t.pending_role_at, t.pending_params_at, t.pending_params,
       (SELECT params FROM current_parameters) AS params,
       coalesce(i.minted, 0) AS iosd_minted,
       coalesce(i.redeemed, 0) AS iosd_redeemed,
       b.fee_burned AS iosd_fee_burned,
       coalesce(i.minted - i.redeemed - b.fee_burned, 0) AS iosd_supply,
       coalesce(i.io_burned, 0) AS io_burned_for_iosd,
       coalesce(i.io_redeemed, 0) AS io_redeemed,
       coalesce(i.io_burned - i.io_redeemed, 0) AS backing,
       b.io_other_burned,
       coalesce((SELECT low_price FROM prices WHERE low_price IS NOT NULL ORDER BY publish_time DESC, position DESC
                 LIMIT 1), 0) AS io_price,
       coalesce((SELECT high_price FROM prices WHERE high_price IS NOT NULL ORDER BY publish_time DESC, position DESC
                 LIMIT 1), 0) AS io_price_high,
       i.last_publish_time AS price_published_at
FROM networks t LEFT JOIN iosd i ON true, LATERAL (
    SELECT coalesce((i.burned ->> t.iosd_mint)::numeric(20), 0) AS fee_burned,
           coalesce((i.burned ->> t.io_mint)::numeric(20), 0) AS io_other_burned
) b

-- name: currency_totals
SELECT c.currency, count(*) AS clusters, sum(c.deposit) AS deposit,
       coalesce(sum(c.deposit - c.paid - c.fees - c.refunded) FILTER (WHERE c.status = 'open'), 0) AS escrow,
       sum(c.locked) AS locked, sum(c.paid) AS paid, sum(c.fees - c.burned) AS fees, sum(c.burned) AS burned,
       sum(c.refunded) AS refunded,
       (SELECT coalesce(sum(o.amount), 0) FROM owed_balances o WHERE o.currency = c.currency) AS owed,
       (SELECT coalesce(sum(x.unclaimed), 0)
        FROM nodes n, json_to_recordset(n.income) AS x(currency text, unclaimed numeric)
        WHERE x.currency = c.currency) AS income_unclaimed
FROM clusters c GROUP BY c.currency ORDER BY c.currency

-- name: node_totals
SELECT count(*) AS nodes,
       count(*) FILTER (WHERE coalesce(h.hireable, false)) AS nodes_hireable,
       coalesce(sum(t.processors), 0) AS processors,
       coalesce(sum(t.processors) FILTER (WHERE coalesce(h.hireable, false)), 0) AS processors_hireable,
       coalesce(sum(t.bonded), 0) AS bonded,
       coalesce(sum(t.unbonding), 0) AS unbonding,
       coalesce(sum(t.slashed), 0) AS slashed,
       coalesce(sum(t.owner_rewards + t.co_rewards), 0) AS rewards_unclaimed,
       count(*) FILTER (WHERE t.open_case IS NOT NULL) AS cases_open
FROM {source}, LATERAL (SELECT {hireable} AS hireable) h

-- name: lease_totals
SELECT (SELECT count(*) FROM clusters) AS clusters,
       (SELECT count(*) FROM clusters WHERE status = 'open') AS clusters_open,
       (SELECT count(*) FROM leases) AS leases,
       (SELECT count(*) FROM leases WHERE status = 'active') AS leases_active,
       (SELECT count(*) FROM leases WHERE dispute_to IS NOT NULL) AS disputes_open,
       (SELECT count(*) FROM proofs) AS proofs,
       (SELECT coalesce(sum(served_secs), 0) FROM nodes) AS served_secs

-- name: events_of_entity
SELECT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.name, e.data
FROM event_entities l JOIN events e USING (position)
WHERE l.entity = $1 AND ($2::text IS NULL OR e.name = $2) AND e.position < $3
ORDER BY e.position DESC LIMIT $4

-- name: events_newest
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE ($1::text IS NULL OR name = $1) AND position < $2
ORDER BY position DESC LIMIT $3

-- name: stream_undos
SELECT id, slot FROM undos WHERE id > $1 ORDER BY id

-- name: stream_start
SELECT coalesce(max(id), 0) AS undo, (SELECT coalesce(max(position), -1) FROM events) AS position FROM undos

-- name: stream_events
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE position > $1 AND position < $2 ORDER BY position LIMIT $3

-- name: trace
SELECT l.lease, l.interval, l.root, l.index, l.task_id, s.leaves AS count,
       p.position, p.at, p.served_secs, p.gpu_ms, p.proof_head,
       e.signature, e.outer_ix, e.inner_ix,
       le.node, le.cluster, le.number, le.processors, le.price, le.started_at, le.interval_secs, le.ends_at,
       n.owner, n.device_key, n.model, n.country, c.renter, c.currency
FROM leaves l
JOIN leaf_sets s USING (lease, interval, root)
JOIN LATERAL (
    SELECT * FROM proofs WHERE lease = l.lease AND interval = l.interval ORDER BY position DESC LIMIT 1
) p ON p.root = l.root
JOIN events e USING (position)
JOIN leases le ON le.lease = l.lease
JOIN nodes n ON n.node = le.node
JOIN clusters c ON c.cluster = le.cluster
WHERE l.result_hash = $1 AND (l.lease, l.interval, l.index) > ($2, $3, $4)
ORDER BY l.lease, l.interval, l.index LIMIT $5

-- name: trace_leaves
SELECT task_id, result_hash FROM leaves WHERE lease = $1 AND interval = $2 AND root = $3 ORDER BY index

-- name: trace_served
WITH latest AS (
    SELECT DISTINCT ON (interval) interval, served_secs AS proven FROM proofs
    WHERE lease = $1 AND interval <= $2 ORDER BY interval, position DESC
), unchallenged AS (
    -- The last proven intervals of a lease that its supplier left, as many as the seconds that were named.
    SELECT min(x.interval) AS first
    FROM (
        SELECT interval, sum(proven) OVER (ORDER BY interval DESC) AS named
        FROM (
            SELECT DISTINCT ON (interval) interval, served_secs AS proven FROM proofs
            WHERE lease = $1 ORDER BY interval DESC, position DESC LIMIT 16  -- open ones; no more are (`RING`)
        ) p
    ) x JOIN leases le ON le.lease = $1 AND x.named <= le.burned_secs
), counted AS (
    -- What a dispute leaves of an interval: what was defended; nothing once the rest is lost.
    SELECT l.interval, l.proven,
           CASE WHEN l.interval >= u.first THEN 'unchallenged'
                WHEN d.lease IS NULL THEN NULL WHEN f.position IS NOT NULL THEN 'defended'
                WHEN d.ended_at IS NULL THEN 'open' ELSE 'undefended' END AS dispute,
           CASE WHEN l.interval >= u.first THEN 0
                WHEN d.lease IS NULL THEN l.proven WHEN f.position IS NOT NULL THEN least(f.served_secs, l.proven)
                WHEN d.ended_at IS NULL THEN l.proven ELSE 0 END AS secs,
           f.position AS defended_at
    FROM latest l CROSS JOIN unchallenged u
    LEFT JOIN dispute_outcomes d ON d.lease = $1 AND l.interval >= d.from_interval AND l.interval < d.to_interval
    LEFT JOIN defences f ON f.lease = $1 AND f.defended AND f.interval = l.interval
)
SELECT coalesce(sum(secs) FILTER (WHERE interval < $2), 0) AS before, coalesce(sum(secs), 0) AS through,
       coalesce(sum(proven), 0) AS proven,
       max(dispute) FILTER (WHERE interval = $2) AS dispute,
       max(defended_at) FILTER (WHERE interval = $2) AS defended_at
FROM counted

-- name: trace_payment
-- $2: seconds proven through the interval. What was in dispute before it was not counted then, except what was defended.
SELECT e.signature, p.at FROM payments p JOIN events e USING (position)
WHERE p.lease = $1 AND p.payable_secs >= $2
    - (SELECT coalesce(sum(d.served_secs), 0) FROM disputes d
       WHERE d.lease = $1 AND d.to_interval <= $3 AND d.position < p.position)
    + (SELECT coalesce(sum(f.served_secs), 0) FROM defences f
       WHERE f.lease = $1 AND f.defended AND f.position < p.position)
ORDER BY p.position LIMIT 1

-- name: trace_payment_after
SELECT e.signature, p.at FROM payments p JOIN events e USING (position)
WHERE p.lease = $1 AND p.position > $2 AND p.amount > 0 ORDER BY p.position LIMIT 1

-- name: upload_lease
SELECT n.device_key, p.position
FROM leases l JOIN nodes n USING (node)
LEFT JOIN LATERAL (
    SELECT position FROM proofs WHERE lease = l.lease AND interval = $2 AND root = $3 ORDER BY position DESC LIMIT 1
) p ON true
WHERE l.lease = $1

-- name: upload_nonce
INSERT INTO upload_nonces (device_key, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING nonce

-- name: upload_nonces_expire
DELETE FROM upload_nonces WHERE expires_at < $1

-- name: upload_set
INSERT INTO leaf_sets (lease, interval, root, leaves, uploaded_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING root

-- name: upload_leaves
INSERT INTO leaves (lease, interval, root, index, task_id, result_hash)
SELECT $1, $2, $3, u.index - 1, u.task_id, u.result_hash
FROM unnest($4::bytea[], $5::bytea[]) WITH ORDINALITY AS u(task_id, result_hash, index)

-- name: upload_superseded
DELETE FROM leaf_sets s WHERE s.lease = $1 AND s.interval = $2 AND s.root <> (
    SELECT root FROM proofs WHERE lease = $1 AND interval = $2 ORDER BY position DESC LIMIT 1
)

-- name: parameters_set
INSERT INTO parameters (network, slot, stake_per_processor, co_stake_max_percent, params) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (network) DO UPDATE
SET slot = excluded.slot, stake_per_processor = excluded.stake_per_processor,
    co_stake_max_percent = excluded.co_stake_max_percent, params = excluded.params
WHERE parameters.slot <= excluded.slot

-- name: parameters
SELECT slot FROM parameters
