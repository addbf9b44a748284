-- name: hold
LOCK TABLE generation IN ACCESS SHARE MODE

-- name: state
SELECT c.indexed_slot, c.finalized_slot, r.changes, coalesce((SELECT max(id) FROM undos), 0) AS undo,
       coalesce((SELECT max(position) FROM events), -1) AS position
FROM revisions r LEFT JOIN checkpoint c ON true

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

-- name: totals
SELECT name, key, value FROM totals

-- name: events_of_entity
SELECT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.name, e.data
FROM event_entities l JOIN events e USING (position)
WHERE l.entity = $1 AND ($2::text IS NULL OR e.name = $2) AND l.position >= $3 AND l.position < $4
ORDER BY l.position DESC LIMIT $5

-- name: events_newest
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE position >= $1 AND position < $2
ORDER BY position DESC LIMIT $3

-- name: events_named
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE name = $1 AND position >= $2 AND position < $3
ORDER BY position DESC LIMIT $4

-- name: position_at
SELECT position FROM events WHERE block_time >= $1 ORDER BY block_time, position LIMIT 1

-- name: stream_undos
SELECT id, slot FROM undos WHERE id > $1 ORDER BY id

-- name: stream_events
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE position > $1 AND position < $2 ORDER BY position LIMIT $3

-- name: trace
SELECT s.lease, s.interval, s.root, l.number, l.index, s.leaves AS count, s.blocks,
       p.position, p.at, p.served_secs, p.gpu_ms, p.proof_head,
       e.signature, e.outer_ix, e.inner_ix, le.number AS lease_number,
       le.node, le.cluster, le.processors, le.price, le.currency, le.started_at, le.interval_secs, le.ends_at,
       n.owner, n.device_key, n.model, n.country, c.renter
FROM leaves l
JOIN leaf_sets s USING (number)
JOIN LATERAL (
    SELECT * FROM proofs WHERE lease = s.lease AND interval = s.interval ORDER BY position DESC LIMIT 1
) p ON p.root = s.root
JOIN events e USING (position)
JOIN leases le ON le.lease = s.lease
JOIN nodes n ON n.node = le.node
JOIN clusters c ON c.cluster = le.cluster
WHERE l.result_hash = $1 AND (l.number, l.index) > ($2, $3)
ORDER BY l.number, l.index LIMIT $4

-- name: trace_block
SELECT substr(body, $2, $3) AS body FROM leaf_sets WHERE number = $1

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
SELECT n.device_key, p.position,
       EXISTS (SELECT FROM upload_nonces u WHERE u.device_key = n.device_key AND u.nonce = $4) AS used
FROM leases l JOIN nodes n USING (node)
LEFT JOIN LATERAL (
    SELECT position, root FROM proofs WHERE lease = l.lease AND interval = $2 ORDER BY position DESC LIMIT 1
) p ON p.root = $3
WHERE l.lease = $1

-- name: upload_nonce
INSERT INTO upload_nonces (device_key, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING nonce

-- name: upload_nonces_expire
DELETE FROM upload_nonces WHERE expires_at < $1

-- name: upload_set
INSERT INTO leaf_sets (lease, interval, root, leaves, uploaded_at, body, blocks) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING RETURNING number

-- name: upload_leaves
INSERT INTO leaves (result_hash, number, index)
SELECT substr($2::bytea, 64 * i + 33, 32), $1, i FROM generate_series(0, $3::integer - 1) i

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
