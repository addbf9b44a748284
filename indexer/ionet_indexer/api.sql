-- name: hold
LOCK TABLE generation IN ACCESS SHARE MODE

-- name: swap_waits
SELECT EXISTS (
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND (l.classid, l.objid, l.objsubid) = (0, $1, 1)
) AS waits

-- name: state
SELECT c.indexed_slot, c.finalized_slot, r.changes, coalesce((SELECT max(id) FROM undos), 0) AS undo,
       coalesce((SELECT max(position) FROM events), -1) AS position
FROM revisions r LEFT JOIN checkpoint c ON true

-- name: refold
SELECT refold FROM checkpoint

-- name: health
SELECT c.indexed_slot, c.finalized_slot, s.node_slot, s.checked_at, s.problem,
       (SELECT count(*) FROM (SELECT FROM events WHERE name = 'Unread' ORDER BY position LIMIT 1000) u) AS unread,
       (SELECT count(*) FROM (SELECT FROM unfolded ORDER BY position LIMIT 1000) u) AS unfolded
FROM checkpoint c, status s

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
WHERE l.entity = $1 AND l.position >= $2 AND l.position < $3
ORDER BY l.position DESC LIMIT $4

-- name: events_reach
-- How far back a number of events reaches: of an entity, of a name; null: to the start.
SELECT (SELECT position FROM event_entities WHERE entity = $1 AND position >= $3 AND position < $4
        ORDER BY position DESC OFFSET $5::bigint LIMIT 1) AS of_entity,
       (SELECT position FROM events WHERE name = $2 AND position >= $3 AND position < $4
        ORDER BY position DESC OFFSET $5 LIMIT 1) AS named

-- name: events_of_entity_named
SELECT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.name, e.data
FROM (
    SELECT position FROM event_entities WHERE entity = $1 AND position >= $3 AND position < $4
    ORDER BY position DESC OFFSET 0
) l CROSS JOIN LATERAL (SELECT * FROM events x WHERE x.position = l.position OFFSET 0) e  -- one by one
WHERE e.name = $2
ORDER BY l.position DESC LIMIT $5

-- name: events_named_of_entity
SELECT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.name, e.data
FROM (
    SELECT * FROM events WHERE name = $2 AND position >= $3 AND position < $4 ORDER BY position DESC OFFSET 0
) e CROSS JOIN LATERAL (SELECT FROM event_entities x WHERE x.position = e.position AND x.entity = $1 LIMIT 1) l
ORDER BY e.position DESC LIMIT $5

-- name: events_newest
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE position >= $1 AND position < $2
ORDER BY position DESC LIMIT $3

-- name: events_named
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE name = $1 AND position >= $2 AND position < $3
ORDER BY position DESC LIMIT $4

-- name: position_at
SELECT position FROM times WHERE block_time >= $1 ORDER BY block_time LIMIT 1

-- name: stream_undos
SELECT id, slot, final FROM undos WHERE id > $1 ORDER BY id

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

-- name: lease_books
-- A lease, and how many intervals have begun by the time of the newest event.
SELECT l.lease, l.node, l.cluster, l.status, l.currency, l.price, l.processors, l.interval_secs, l.paid, l.started_at, l.ends_at,
       l.burned_secs, l.approved_through,
       CASE WHEN l.started_at IS NULL THEN 0 ELSE greatest(
           (least(l.ends_at, (SELECT time FROM newest)) - l.started_at
            + l.interval_secs - 1) / l.interval_secs, l.last_interval + 1, 0
       ) END AS intervals,
       p.position AS last_payment, p.payable_secs
FROM leases l LEFT JOIN LATERAL (
    SELECT x.position, x.payable_secs FROM payments x WHERE x.lease = l.lease ORDER BY x.position DESC LIMIT 1
) p ON true
WHERE l.lease = $1

-- name: lease_sums
SELECT block, served, kept, kept_served FROM lease_sums WHERE lease = $1 ORDER BY block

-- name: lease_challenged
-- Intervals that were in dispute or defended, with the last proof of each and the settlement that paid a defended one.
SELECT number, h.open, o.position AS defended_at, o.served_secs AS defended_secs,
       p.position AS proof, p.served_secs, p.kept, d.position AS payment
FROM (
    SELECT g.number, bool_or(d.outcome = 'open') AS open
    FROM disputes d, LATERAL generate_series(d.from_interval, d.to_interval - 1) g (number)
    WHERE d.lease = $1 GROUP BY g.number
) h FULL JOIN (
    SELECT DISTINCT ON (f.interval) f.interval AS number, f.position, f.served_secs
    FROM defences f WHERE f.lease = $1 AND f.defended ORDER BY f.interval, f.position
) o USING (number)
LEFT JOIN LATERAL (
    SELECT x.position, x.served_secs, x.kept FROM proofs x
    WHERE x.lease = $1 AND x.interval = number ORDER BY x.position DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT x.position FROM payments x WHERE x.lease = $1 AND x.position > o.position ORDER BY x.position LIMIT 1
) d ON true
ORDER BY number

-- name: lease_named
-- The last intervals of a lease that its supplier left are named, as many as the seconds ($2) that were burned.
WITH RECURSIVE back AS (
    (SELECT interval, position, served_secs, kept, served_secs AS named FROM proofs
     WHERE lease = $1 ORDER BY interval DESC, position DESC LIMIT 1)
    UNION ALL
    SELECT p.*, b.named + p.served_secs FROM back b, LATERAL (
        SELECT x.interval, x.position, x.served_secs, x.kept FROM proofs x
        WHERE x.lease = $1 AND x.interval < b.interval ORDER BY x.interval DESC, x.position DESC LIMIT 1
    ) p WHERE b.named <= $2
)
SELECT interval AS number, position AS proof, served_secs, kept FROM back WHERE named <= $2

-- name: lease_proven
-- The last proof of each interval from $2 to $3.
SELECT n.number, p.position AS proof, p.served_secs, p.kept
FROM generate_series($2::bigint, $3::bigint) n (number), LATERAL (
    SELECT x.position, x.served_secs, x.kept FROM proofs x
    WHERE x.lease = $1 AND x.interval = n.number ORDER BY x.position DESC LIMIT 1
) p ORDER BY n.number

-- name: lease_just_before
-- The same of the intervals before each of $2, from where its $3 intervals begin.
SELECT b.number AS before, n.number, p.position AS proof, p.served_secs, p.kept
FROM unnest($2::bigint[]) b (number),
LATERAL generate_series(b.number - b.number % $3::bigint, b.number - 1) n (number),
LATERAL (
    SELECT x.position, x.served_secs, x.kept FROM proofs x
    WHERE x.lease = $1 AND x.interval = n.number ORDER BY x.position DESC LIMIT 1
) p

-- name: lease_payers
-- For each of the sums in $2 the settlement that paid up to there. $3, $4: since when which seconds were paid on top.
SELECT u.secs, (
    SELECT p.position FROM payments p
    WHERE p.lease = $1 AND p.payable_secs >= u.secs
    AND p.payable_secs - coalesce((SELECT sum(d.secs) FROM unnest($3::bigint[], $4::bigint[]) d (since, secs)
                                   WHERE d.since <= p.position), 0) >= u.secs
    ORDER BY p.payable_secs, p.position LIMIT 1
) AS payment
FROM unnest($2::bigint[]) u (secs)

-- name: lease_payable
-- What settlements, and those before them, had paid for.
SELECT p.position, p.payable_secs, b.position AS position_before, b.payable_secs AS payable_before
FROM payments p LEFT JOIN LATERAL (
    SELECT x.position, x.payable_secs FROM payments x
    WHERE x.lease = $1 AND x.position < p.position ORDER BY x.position DESC LIMIT 1
) b ON true
WHERE p.position = ANY($2::bigint[])

-- name: lease_proofs
SELECT t.position, t.at, t.served_secs, t.kept, t.gpu_ms, t.root, t.proof_head, s.leaves, e.signature
FROM unnest($1::bigint[]) w (position) JOIN proofs t USING (position) JOIN events e USING (position)
LEFT JOIN leaf_sets s ON (s.lease, s.interval, s.root) = (t.lease, t.interval, t.root)

-- name: lease_settlements
SELECT p.position, p.at, e.signature
FROM unnest($1::bigint[]) w (position) JOIN payments p USING (position) JOIN events e USING (position)

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
INSERT INTO leaves (result_hash, number, index, task_id)
SELECT substr($2::bytea, 64 * i + 33, 32), $1, i, substr($2::bytea, 64 * i + 1, 32) FROM generate_series(0, $3::integer - 1) i

-- name: upload_superseded
DELETE FROM leaf_sets s WHERE s.lease = $1 AND s.interval = $2 AND s.root <> (
    SELECT root FROM proofs WHERE lease = $1 AND interval = $2 ORDER BY position DESC LIMIT 1
)

-- name: advert_node
SELECT n.device_key, a.seq, a.body FROM nodes n LEFT JOIN adverts a ON a.node = n.node AND a.device_key = n.device_key
WHERE n.node = $1

-- name: advert_put
INSERT INTO adverts AS a (node, device_key, seq, expires, seen_at, since, content, endpoints, body, signature)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)
ON CONFLICT (node) DO UPDATE SET
    device_key = excluded.device_key, seq = excluded.seq, expires = excluded.expires, seen_at = excluded.seen_at,
    since = CASE WHEN a.content = excluded.content THEN a.since ELSE excluded.since END,
    content = excluded.content, endpoints = excluded.endpoints, body = excluded.body, signature = excluded.signature
WHERE a.seq < excluded.seq OR a.device_key <> excluded.device_key
-- Whether it says something else than the one before; no row where that one was newer.
RETURNING (SELECT b.content FROM adverts b WHERE b.node = $1) IS DISTINCT FROM $6 AS changed

-- name: advert_minute
INSERT INTO node_minutes AS m (node, day, bits)
VALUES ($1, $2, set_bit(decode(repeat('00', 180), 'hex'), $3, 1))
ON CONFLICT (node, day) DO UPDATE SET bits = set_bit(m.bits, $3, 1) WHERE get_bit(m.bits, $3) = 0

-- name: advert_change
INSERT INTO advert_changes (node, at, seq, body, signature) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING

-- name: advert_forget
DELETE FROM advert_changes c WHERE c.node = $1 AND (c.at, c.seq) < (
    SELECT x.at, x.seq FROM advert_changes x WHERE x.node = $1 ORDER BY x.at DESC, x.seq DESC OFFSET 99 LIMIT 1
)

-- name: advert
SELECT a.*, EXISTS (SELECT FROM online_nodes o WHERE o.node = n.node) AS online
FROM nodes n LEFT JOIN adverts a USING (node) WHERE n.node = $1

-- name: advert_changes
SELECT at, seq, body, signature FROM advert_changes WHERE node = $1 ORDER BY at DESC, seq DESC LIMIT 10

-- name: adverts_sweep
SELECT sweep_adverts($1)

-- name: parameters_set
INSERT INTO parameters (network, slot, stake_per_processor, co_stake_max_percent, params) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (network) DO UPDATE
SET slot = excluded.slot, stake_per_processor = excluded.stake_per_processor,
    co_stake_max_percent = excluded.co_stake_max_percent, params = excluded.params
WHERE parameters.slot <= excluded.slot

-- name: parameters
SELECT slot FROM parameters

-- name: series_range
-- The first bucket of any of the numbers, and the time of the newest event.
SELECT (SELECT min(first) FROM unnest($2::text[]) f,
            LATERAL (SELECT bucket AS first FROM series s WHERE s.scope = $1 AND s.field = f AND s.step = $3
                     ORDER BY bucket LIMIT 1) b) AS first,
       greatest((SELECT time FROM newest), (SELECT at FROM series_parts ORDER BY position DESC LIMIT 1),
                (SELECT at FROM proofs ORDER BY position DESC LIMIT 1)) AS now

-- name: series_before
-- How the numbers stood at a bucket's start: the changes of all days before its day, and of the hours of that day.
SELECT field, sum(value) AS value FROM (
    SELECT field, value FROM series WHERE scope = $1 AND field = ANY($2) AND step = 'day' AND bucket < $5
    UNION ALL
    SELECT field, value FROM series
    WHERE scope = $1 AND field = ANY($2) AND step = $3 AND bucket >= $5 AND bucket < $4
) s GROUP BY field

-- name: series
SELECT bucket, field, value, weighted, events, position FROM series
WHERE scope = $1 AND field = ANY($2) AND step = $3 AND bucket >= $4 AND bucket <= $5

-- name: leaders_start
-- The start of the period in which the newest event is.
SELECT start_of($1, greatest(
    (SELECT time FROM newest),
    (SELECT at FROM series_parts ORDER BY position DESC LIMIT 1),
    (SELECT at FROM proofs ORDER BY position DESC LIMIT 1)
)) AS start

-- name: leaders
SELECT key, value FROM standings
WHERE kind = $1 AND field = $2 AND period = $3 AND start = $4 AND value > 0
AND (value, key) < ($5::text::numeric, $6::text)
ORDER BY value DESC, key DESC LIMIT $7

-- name: model_names
SELECT code, name FROM models ORDER BY code

-- name: index_value
SELECT (position >> 30) AS slot, day, model, value, median, before, before_day, leases, owners, secs, weight
FROM index_values WHERE model = $1 AND day <= $2 ORDER BY day DESC LIMIT 1

-- name: index_leases
SELECT lease, node, owner, currency, locked_price, io_price, price, secs, weight FROM index_leases
WHERE model = $1 AND day = $2 AND (price, lease) > ($3::text::numeric, $4::text) ORDER BY price, lease LIMIT $5
