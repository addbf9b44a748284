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

-- name: refold_done
UPDATE checkpoint SET refold = false

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

-- name: heads
SELECT slot, blockhash FROM heads ORDER BY slot DESC

-- name: heads_add
INSERT INTO heads (slot, blockhash) VALUES ($1, $2) ON CONFLICT (slot) DO UPDATE SET blockhash = excluded.blockhash

-- name: heads_drop_after
DELETE FROM heads WHERE slot > $1

-- name: heads_drop_before
DELETE FROM heads WHERE slot < (SELECT max(slot) FROM heads WHERE slot <= $1)

-- name: undos_add
INSERT INTO undos (slot) VALUES ($1)

-- name: transactions_add
INSERT INTO transactions (signature, slot, tx_index, block_time)
SELECT signature, slot, tx_index, block_time FROM json_populate_recordset(NULL::transactions, $1)
ON CONFLICT (signature) DO NOTHING
RETURNING signature

-- name: transactions_drop_after
DELETE FROM transactions WHERE slot > $1

-- name: transactions_known
SELECT signature FROM transactions WHERE signature = ANY($1)

-- name: transactions_after
SELECT signature, slot FROM transactions WHERE slot > $1

-- name: transaction_before
SELECT signature, slot FROM transactions WHERE slot <= $1 ORDER BY slot DESC LIMIT 1

-- name: events_begun
SELECT EXISTS (SELECT FROM events WHERE position < $1)

-- name: events_end
SELECT max(position) FROM events

-- name: events_add
INSERT INTO events (position, signature, outer_ix, inner_ix, block_time, name, data)
SELECT position, signature, outer_ix, inner_ix, block_time, name, decode(data, 'base64')
FROM json_to_recordset($1) AS e(
    position bigint, signature text, outer_ix smallint, inner_ix smallint, block_time bigint, name text, data text
)

-- name: events_drop_from
DELETE FROM events WHERE position >= $1

-- name: links_add
INSERT INTO event_entities (entity, seq, position)
SELECT entity, seq, position FROM json_populate_recordset(NULL::event_entities, $1)

-- name: links_drop_from
DELETE FROM event_entities WHERE position >= $1 RETURNING entity

-- name: links_last
SELECT entity, last.seq, last.position
FROM unnest($1::text[]) AS entity,
     LATERAL (SELECT seq, position FROM event_entities e WHERE e.entity = entity.entity ORDER BY seq DESC LIMIT 1) AS last

-- name: events_of
SELECT DISTINCT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.data
FROM event_entities l JOIN events e USING (position)
WHERE l.entity = ANY($1)
ORDER BY e.position

-- name: events_named
SELECT position, signature, outer_ix, inner_ix, block_time, data FROM events WHERE name = $1 ORDER BY position

-- name: events_rename
UPDATE events SET name = e.name
FROM json_to_recordset($1) AS e(position bigint, name text) WHERE events.position = e.position

-- name: unread_count
SELECT count(*) FROM events
WHERE name = $1 AND position > $2 AND position < $3 AND position($4::bytea IN data) > 0

-- name: events_after
SELECT position, signature, outer_ix, inner_ix, block_time, data FROM events WHERE position > $1
ORDER BY position LIMIT $2

-- name: work_finalize
UPDATE lease_work SET finalized = true
WHERE NOT finalized AND slot <= (SELECT finalized_slot FROM checkpoint)
RETURNING lease

-- name: notify
SELECT pg_notify($1, $2)
