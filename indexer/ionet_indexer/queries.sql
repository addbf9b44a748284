-- name: writer_lock
SELECT pg_try_advisory_lock($1)

-- name: checkpoint
SELECT genesis, program, indexed_slot, finalized_slot FROM checkpoint

-- name: checkpoint_start
INSERT INTO checkpoint (genesis, program, indexed_slot, finalized_slot) VALUES ($1, $2, -1, -1)
ON CONFLICT DO NOTHING

-- name: settings_off
SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name

-- name: refold_due
SELECT refold FROM checkpoint

-- name: refold_set
UPDATE checkpoint SET refold = $1

-- name: checkpoint_advance
WITH before AS (SELECT finalized_slot FROM checkpoint)
UPDATE checkpoint SET indexed_slot = $1, finalized_slot = $2 FROM before
RETURNING EXISTS (
    SELECT FROM events
    WHERE position >= (before.finalized_slot + 1) << 30 AND position < ($2::bigint + 1) << 30  -- see decode.position
)

-- name: status_set
INSERT INTO status (checked_at, node_slot, problem) VALUES ($1, $2, $3)
ON CONFLICT (only_row) DO UPDATE
SET checked_at = excluded.checked_at, node_slot = excluded.node_slot, problem = excluded.problem

-- name: status_tell
UPDATE status SET checked_at = $1, problem = $2

-- name: heads
SELECT slot, blockhash FROM heads ORDER BY slot DESC

-- name: heads_add
INSERT INTO heads (slot, blockhash) VALUES ($1, $2) ON CONFLICT (slot) DO UPDATE SET blockhash = excluded.blockhash

-- name: heads_drop_after
DELETE FROM heads WHERE slot > $1

-- name: heads_drop
DELETE FROM heads WHERE slot = ANY($1::bigint[])

-- name: heads_drop_before
DELETE FROM heads WHERE slot < (SELECT max(slot) FROM heads WHERE slot <= $1)

-- name: undos_add
INSERT INTO undos (slot, final) SELECT $1, coalesce((SELECT $1 < finalized_slot FROM checkpoint), false)

-- name: transactions_drop_after
DELETE FROM transactions WHERE slot > $1

-- name: transactions_known
SELECT signature FROM transactions WHERE signature = ANY($1)

-- name: transactions_end
SELECT max(slot) FROM transactions

-- name: transactions_after
SELECT signature, slot FROM transactions WHERE slot > $1

-- name: transaction_before
SELECT signature, slot FROM transactions WHERE slot <= $1 ORDER BY slot DESC LIMIT 1

-- name: events_begun
SELECT EXISTS (SELECT FROM events WHERE position < $1)

-- name: events_count
SELECT count(*) FROM events

-- name: events_end
SELECT max(position) FROM events

-- name: events_drop_from
DELETE FROM events WHERE position >= $1

-- name: times_drop_from
DELETE FROM times WHERE block_time >= (SELECT min(block_time) FROM events WHERE position >= $1) AND position >= $1

-- name: links_drop_from
DELETE FROM event_entities WHERE position >= $1 RETURNING entity

-- name: links_last
SELECT entity, last.seq, last.position
FROM unnest($1::text[]) AS entity,
     LATERAL (SELECT seq, position FROM event_entities e WHERE e.entity = entity.entity ORDER BY position DESC LIMIT 1) AS last

-- name: events_of
SELECT DISTINCT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.data
FROM event_entities l JOIN events e USING (position)
WHERE l.entity = ANY($1)
ORDER BY e.position

-- name: events_named
SELECT position, signature, outer_ix, inner_ix, block_time, data FROM events WHERE name = $1 ORDER BY position

-- name: events_named_after
SELECT EXISTS (SELECT FROM events WHERE name = ANY($1) AND position > $2)

-- name: events_from
SELECT position FROM times WHERE block_time >= $1 ORDER BY block_time LIMIT 1

-- name: events_last_time
SELECT max(block_time) FROM times

-- name: index_last
SELECT max(day) FROM index_values

-- name: index_settled_days
SELECT DISTINCT at - at % 86400 AS day FROM payments WHERE at >= $1 AND at < $2 AND processor_secs > 0

-- name: index_settled
SELECT l.model, l.lease, l.node, n.owner, l.currency, l.price, l.io_price, p.secs
FROM (
    SELECT lease, sum(processor_secs) AS secs FROM payments WHERE at >= $1 AND at < $2 AND processor_secs > 0
    GROUP BY lease
) p JOIN leases l USING (lease) JOIN nodes n ON n.node = l.node
ORDER BY l.lease

-- name: index_before
SELECT DISTINCT ON (model) model, day, value FROM index_values WHERE value IS NOT NULL AND day < $1
ORDER BY model, day DESC

-- name: events_rename
UPDATE events SET name = e.name
FROM unnest($1::bigint[], $2::text[]) AS e(position, name) WHERE events.position = e.position

-- name: unread_count
SELECT count(*) FROM events
WHERE name = $1 AND position > $2 AND position < $3 AND position($4::bytea IN data) > 0

-- name: unread_names
SELECT EXISTS (
    SELECT FROM events WHERE name = $1 AND position > $2 AND position < $3 AND position($4::bytea IN data) > 0
) OR EXISTS (
    -- Whatever else changed its row: that of an event held back is never whole.
    SELECT FROM unfolded u JOIN events e USING (position)
    WHERE u.position < $3 AND position($4::bytea IN e.data) > 0
) AS named

-- name: events_after
SELECT position, signature, outer_ix, inner_ix, block_time, data FROM events WHERE position > $1
ORDER BY position LIMIT $2

-- name: work_finalize
UPDATE lease_work SET finalized = true
WHERE NOT finalized AND slot <= (SELECT finalized_slot FROM checkpoint)
RETURNING lease

-- name: notify
SELECT pg_notify($1, $2)
