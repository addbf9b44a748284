-- name: search_address
SELECT x.kind, $1 AS key, x.path FROM (
    SELECT 'network' AS kind, '/v1/network' AS path FROM networks WHERE network = $1
    UNION ALL SELECT 'mint', '/v1/network' FROM networks WHERE $1 IN (io_mint, iosd_mint, usdc_mint)
    UNION ALL SELECT 'iosd', '/v1/network' FROM iosd WHERE iosd = $1
    UNION ALL SELECT 'program', '/v1/network' FROM checkpoint WHERE program = $1
    UNION ALL SELECT 'chain', '/v1/network' FROM checkpoint WHERE genesis = $1
    UNION ALL SELECT 'model', '/v1/models/' || model FROM models WHERE model = $1
    UNION ALL SELECT 'node', '/v1/nodes/' || node FROM nodes WHERE node = $1
    UNION ALL SELECT 'cluster', '/v1/clusters/' || cluster FROM clusters WHERE cluster = $1
    UNION ALL SELECT 'lease', '/v1/leases/' || lease FROM leases WHERE lease = $1
    UNION ALL SELECT 'case', '/v1/cases/' || case_account FROM cases WHERE case_account = $1
    UNION ALL SELECT 'position', '/v1/stakes/' || staker_position FROM positions WHERE staker_position = $1
    UNION ALL (SELECT 'device-key', '/v1/nodes/' || node FROM (
        SELECT DISTINCT node FROM (
            SELECT node FROM node_terms WHERE device_key = $1 ORDER BY position DESC LIMIT 20
        ) n
    ) n)
    UNION ALL (SELECT 'session-key', '/v1/clusters/' || cluster FROM (
        SELECT DISTINCT cluster FROM (
            SELECT cluster FROM session_keys WHERE session_key = $1 ORDER BY position DESC LIMIT 20
        ) c
    ) c)
    UNION ALL (SELECT 'income-vault', '/v1/nodes/' || node FROM income_vaults WHERE vault = $1 LIMIT 1)
    UNION ALL (SELECT 'reporter', '/v1/nodes/' || node FROM (
        SELECT DISTINCT node FROM (SELECT node FROM slashes WHERE reporter = $1 ORDER BY position DESC LIMIT 20) n
    ) n)
    UNION ALL SELECT 'wallet', '/v1/accounts/' || $1 WHERE EXISTS (SELECT FROM account_totals WHERE wallet = $1)
        OR EXISTS (SELECT FROM owed WHERE owner = $1) OR EXISTS (SELECT FROM nodes WHERE payout = $1)
        OR EXISTS (SELECT FROM networks WHERE $1 IN (authority, pauser, arbiter))
) x

-- name: search_deeds
-- What a key did once or was before, where it is nothing of the above.
SELECT x.kind, $1 AS key, x.path FROM (
    SELECT DISTINCT 'fee-payer' AS kind, '/v1/nodes/' || node AS path FROM (
        SELECT node FROM node_terms WHERE fee_payer = $1 ORDER BY position DESC LIMIT 20
    ) n
    UNION ALL SELECT DISTINCT 'payout', '/v1/nodes/' || node FROM (
        (SELECT node FROM node_terms WHERE payout = $1 ORDER BY position DESC LIMIT 20)
        UNION ALL (SELECT node FROM payout_locks WHERE payout = $1 ORDER BY position DESC LIMIT 20)
        UNION ALL (SELECT node FROM payout_locks WHERE payout_before = $1 ORDER BY position DESC LIMIT 20)
    ) n
    UNION ALL SELECT DISTINCT 'position', '/v1/nodes/' || node FROM (
        SELECT node FROM stake_moves WHERE staker_position = $1 ORDER BY position DESC LIMIT 20
    ) n
    UNION ALL SELECT DISTINCT 'giver', '/v1/nodes/' || node FROM (
        SELECT node FROM rewards WHERE wallet = $1 ORDER BY position DESC LIMIT 20
    ) n
    UNION ALL SELECT DISTINCT 'signer', '/v1/leases/' || lease FROM (
        (SELECT lease FROM approvals WHERE signer = $1 ORDER BY position DESC LIMIT 20)
        UNION ALL (SELECT lease FROM disputes WHERE signer = $1 ORDER BY position DESC LIMIT 20)
        UNION ALL (SELECT lease FROM defences WHERE signer = $1 ORDER BY position DESC LIMIT 20)
    ) n
    UNION ALL (SELECT 'ender', '/v1/leases/' || lease FROM leases WHERE ended_by = $1 ORDER BY lease LIMIT 20)
    UNION ALL (SELECT 'arbiter', '/v1/cases/' || case_account FROM cases WHERE arbiter = $1 ORDER BY case_account LIMIT 20)
    UNION ALL (SELECT 'decider', '/v1/cases/' || case_account FROM cases
               WHERE decided_by = $1 ORDER BY case_account LIMIT 20)
    UNION ALL SELECT 'genesis-owner', '/v1/network' FROM networks WHERE genesis_owner = $1
    UNION ALL SELECT 'role', '/v1/network' WHERE EXISTS (SELECT FROM network_changes WHERE before = $1)
        OR EXISTS (SELECT FROM network_changes WHERE after = $1)
) x

-- name: search_signature
SELECT 'transaction' AS kind, signature AS key, '/v1/transactions/' || signature AS path
FROM transactions WHERE signature = $1

-- name: search_hash
-- $1: as hex, $2: as bytes.
SELECT x.kind, $1 AS key, x.path FROM (
    (SELECT 'proof' AS kind, '/v1/proofs?lease=' || lease || '&interval=' || "interval" AS path
     FROM proofs WHERE root = $1 LIMIT 20)
    UNION ALL (SELECT 'proof-head', '/v1/proofs?lease=' || lease || '&interval=' || "interval"
     FROM proofs WHERE proof_head = $1 LIMIT 20)
    UNION ALL (SELECT 'result', '/v1/trace/' || $1 FROM leaves WHERE result_hash = $2 ORDER BY number, index LIMIT 1)
    UNION ALL (SELECT 'task', '/v1/trace/' || encode(result_hash, 'hex') FROM leaves WHERE task_id = $2 LIMIT 20)
    UNION ALL (SELECT 'evidence', '/v1/cases/' || case_account FROM cases WHERE evidence_hash = $1 LIMIT 20)
    UNION ALL (SELECT 'appeal', '/v1/cases/' || case_account FROM cases WHERE appeal_hash = $1 LIMIT 20)
    UNION ALL (SELECT 'report', '/v1/leases/' || lease FROM leases WHERE report_hash = $1 LIMIT 20)
    UNION ALL (SELECT 'config', '/v1/clusters/' || cluster FROM clusters WHERE config_hash = $1 LIMIT 20)
    UNION ALL SELECT 'feed', '/v1/network' WHERE EXISTS (SELECT FROM networks WHERE feed_id = $1)
        OR EXISTS (SELECT FROM network_changes WHERE before = $1)
        OR EXISTS (SELECT FROM network_changes WHERE after = $1)
) x

-- name: search_number
-- $1 also as a slot, null where it is too large for one that was read.
SELECT x.kind, x.key, x.path FROM (
    SELECT 'slot' AS kind, $2::bigint::text AS key, '/v1/slots/' || $2::bigint::text AS path
    WHERE $2::bigint <= (SELECT max(position) >> 30 FROM events)  -- what changes with every block has no name
    UNION ALL (SELECT 'cluster', cluster, '/v1/clusters/' || cluster FROM clusters WHERE id = $1::numeric LIMIT 20)
    UNION ALL (SELECT 'lease', lease, '/v1/leases/' || lease FROM leases WHERE number = $1::numeric LIMIT 20)
    UNION ALL SELECT 'model', model, '/v1/models/' || model FROM models WHERE code = $2::bigint
) x

-- name: search_name
SELECT 'model' AS kind, name AS key, '/v1/models/' || model AS path
FROM models WHERE starts_with(lower(name), lower($1)) ORDER BY code LIMIT 20

-- name: search_model
SELECT 'model' AS kind, name AS key, '/v1/models/' || model AS path FROM models WHERE code = $1

-- name: transaction
SELECT signature, slot, tx_index, block_time FROM transactions WHERE signature = $1

-- name: events_of_transaction
SELECT e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, e.name, e.data
FROM transactions t
JOIN events e ON e.position >= ((t.slot << 16) | t.tx_index) << 14  -- see decode.position
             AND e.position < (((t.slot << 16) | t.tx_index) + 1) << 14
WHERE t.signature = $1 ORDER BY e.position

-- name: events_of_slot
SELECT position, signature, outer_ix, inner_ix, block_time, name, data
FROM events WHERE position > $1 AND position < $2 ORDER BY position LIMIT $3

-- name: account_totals
SELECT name, key, value FROM account_totals WHERE wallet = $1

-- name: account_owed
SELECT currency, amount FROM owed_balances WHERE owner = $1

-- name: account_roles
SELECT n.authority = $1 AS authority, n.pauser = $1 AS pauser, n.arbiter = $1 AS arbiter,
       EXISTS (SELECT FROM nodes WHERE payout = $1) AS payout,
       EXISTS (SELECT FROM node_terms WHERE device_key = $1) AS device_key,
       EXISTS (SELECT FROM session_keys WHERE session_key = $1) AS session_key,
       EXISTS (SELECT FROM owed WHERE owner = $1) AS owed
FROM networks n

-- name: node_days
SELECT day, name, key, value FROM node_days
WHERE node = $1 AND day >= $2 AND day < $3 ORDER BY day, name, key

-- name: node_since
SELECT registered_at, coalesce((SELECT time FROM newest), registered_at) AS now
FROM nodes WHERE node = $1

-- name: node_runs
-- Metered time of the node's leases, as far as it has come: those booked from the first day on, and the last before.
SELECT l.started_at, least(l.ends_at, (SELECT time FROM newest)) AS until
FROM leases l
WHERE l.node = $1 AND l.started_at IS NOT NULL AND l.booked_at < $3 AND l.booked_at >= coalesce((
    SELECT max(b.booked_at) FROM leases b WHERE b.node = $1 AND b.started_at IS NOT NULL AND b.booked_at < $2
), $2)

-- name: reputation_terms
SELECT coalesce((SELECT time FROM newest), n.registered_at) / 86400 AS today,
       (SELECT max(s.at) / 86400 FROM slashes s WHERE s.node = n.node AND s.position = (
           SELECT max(x.position) FROM slashes x WHERE x.node = n.node
       )) AS slashed_on,
       (p.params ->> 'renter_fee_bps')::bigint + (p.params ->> 'supplier_fee_bps')::bigint AS fee_bps,
       2 * (p.params ->> 'usdc_fee_bps')::bigint AS usdc_fee_bps
FROM nodes n LEFT JOIN current_parameters p ON true WHERE n.node = $1

-- name: reputation_minutes
-- $2: the minutes that count, before the one of the clock.
SELECT c.minute, EXISTS (SELECT FROM online_nodes o WHERE o.node = $1) AS online,
       coalesce((SELECT json_agg(json_build_object('day', m.day, 'minutes', encode(m.bits, 'hex')) ORDER BY m.day)
                 FROM node_minutes m WHERE m.node = $1 AND m.day BETWEEN (c.minute - $2) / 1440 AND c.minute / 1440),
                '[]') AS days
FROM advert_clock c

-- name: reputation_open
-- Leases to which something may still come and of which an interval counts, the newest event's time, and whether all of
-- their intervals count: no proof of them can come any more.
SELECT l.lease, n.time AS now, l.ends_at + 2 * l.interval_secs <= n.time AS over
FROM leases l, newest n
WHERE l.node = $1 AND l.started_at IS NOT NULL AND l.status <> 'closed' AND l.booked_at >= coalesce((
    SELECT max(b.booked_at) FROM leases b
    WHERE b.node = $1 AND b.started_at IS NOT NULL AND b.booked_at < $2::bigint * 86400
), 0)
AND least(l.started_at + l.interval_secs, l.ends_at) + 2 * l.interval_secs <= n.time

-- name: reputation_over
-- What the intervals of such leases count for, all at once.
SELECT o.lease, r.day, r.kept, r.unkept FROM unnest($1::text[]) o (lease), lease_reputation(o.lease) r WHERE r.day >= $2

-- name: reputation_records
-- $2: the first day that counts; $3, $4: basis points of fees, and those that USDC pays on top; $6: by lease and day the
-- seconds of leases that are not closed.
WITH rates AS (
    -- Micro-dollars of fees for a second, times 36,000,000 (times 10^8 where a price of IO is a factor).
    SELECT l.*, l.price * l.processors * ($3::bigint + CASE l.currency WHEN 'USDC' THEN $4::bigint ELSE 0 END)
               * CASE l.currency WHEN 'IO' THEN l.io_price ELSE 100000000 END AS rate
    FROM leases l
    WHERE l.node = $1 AND l.booked_at >= coalesce((
        SELECT max(b.booked_at) FROM leases b
        WHERE b.node = $1 AND b.started_at IS NOT NULL AND b.booked_at < $2::bigint * 86400
    ), 0)
), intervals AS (
    SELECT r.renter, d.day, 'interval' AS why, r.rate, d.kept, d.unkept
    FROM rates r JOIN reputation_days d USING (lease) WHERE d.day >= $2
    UNION ALL
    SELECT r.renter, o.day, 'interval', r.rate, o.kept, o.unkept
    FROM rates r JOIN json_to_recordset($6::json) o (lease text, day bigint, kept bigint, unkept bigint) USING (lease)
), events AS (
    SELECT r.renter, r.ends_at / 86400 AS day, 'left' AS why, r.rate, r.burned_secs AS secs FROM rates r
    WHERE r.end_reason = 'unchallenged' AND r.ends_at >= $2::bigint * 86400
    UNION ALL
    SELECT r.renter, r.booked_at / 86400, 'promise', r.rate, r.ready_by - r.booked_at FROM rates r
    WHERE r.end_reason = 'not-ready' AND r.booked_at >= $2::bigint * 86400
    UNION ALL
    -- No event tells the seconds, but their price.
    SELECT r.renter, r.ready_at / 86400, 'rejected', r.rate,
           div(r.burned * 3600, greatest(r.price * r.processors, 1))::bigint FROM rates r
    WHERE r.end_reason = 'rejected' AND r.ready_at >= $2::bigint * 86400
), parts AS (
    SELECT renter, day, why, rate * kept AS kept, rate * unkept AS unkept FROM intervals
    UNION ALL SELECT renter, day, why, 0, rate * secs * ($5::json ->> why)::bigint FROM events
)
SELECT renter, day, why, div(sum(kept), 3600000000000000) AS kept, div(sum(unkept), 3600000000000000) AS unkept
FROM parts GROUP BY renter, day, why HAVING sum(kept + unkept) > 0 ORDER BY day, renter, why
