-- name: begin
DROP SCHEMA IF EXISTS ionet_next, ionet_last CASCADE;
CREATE SCHEMA ionet_next;
CREATE SCHEMA ionet_last;

-- name: end
DROP SCHEMA IF EXISTS ionet_next, ionet_last CASCADE

-- name: is_left
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname IN ('ionet_next', 'ionet_last'))

-- name: home
-- The schema that the tables are in, as an identifier. This one is never made a second time.
SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'generation'::regclass

-- name: use
SELECT set_config('search_path', 'ionet_next, ' || current_setting('search_path'), true)

-- name: version
SELECT string_agg(name, ',' ORDER BY name) FROM schema_migrations

-- name: parts
-- What is made a second time: the tables, the views over them, and functions whose rows are theirs.
WITH RECURSIVE home AS (
    SELECT relnamespace AS oid FROM pg_class WHERE oid = 'generation'::regclass
), relation AS (
    SELECT c.oid FROM pg_class c JOIN home ON c.relnamespace = home.oid WHERE c.relname = ANY($1)
    UNION
    SELECT v.oid
    FROM relation r
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
    JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    JOIN pg_class v ON v.oid = w.ev_class
    WHERE v.relkind = 'v' AND v.relnamespace = (SELECT oid FROM home)
)
SELECT 'pg_class'::regclass::oid AS class, r.oid, c.relkind = 'r' AS is_table, c.relname::text AS name
FROM relation r JOIN pg_class c USING (oid)
UNION ALL
SELECT 'pg_proc'::regclass::oid, p.oid, false, format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
FROM pg_proc p JOIN pg_class c ON p.prorettype = c.reltype JOIN relation r ON r.oid = c.oid

-- name: strangers
-- What else depends on these parts, which would be left with the old ones.
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS name
FROM pg_depend d
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE coalesce(e.typrelid, t.typrelid, d.refobjid) = ANY($1)
AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass)
AND d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_proc'::regclass)
AND NOT coalesce(w.ev_class, k.conrelid, d.objid) = ANY($1)

-- name: statements
-- How the parts are made in the second schema, in order: empty tables, their keys and indexes, then what needs these.
WITH part AS (
    SELECT c.oid, c.relkind, c.relname AS name, format('ionet_next.%I', c.relname) AS next,
           format(' ON %I ', c.relname) AS is_on, format(' ON %s.%I ', home, c.relname) AS is_on_home,
           format('%s.%I', home, c.relname) AS home,
           CASE WHEN c.reloptions IS NULL THEN '' ELSE format(' WITH (%s)', array_to_string(c.reloptions, ', ')) END
               AS options,
           c.relacl, c.relowner
    FROM pg_class c, LATERAL (SELECT c.relnamespace::regnamespace::text AS home) n WHERE c.oid = ANY($1)
)
SELECT statement FROM (
    SELECT 1 AS step, oid, format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES)%s', next, home, options)
        AS statement
    FROM part WHERE relkind = 'r'
    UNION ALL
    SELECT 2, k.oid, format('ALTER TABLE %s ADD CONSTRAINT %I %s', next, k.conname, pg_get_constraintdef(k.oid))
    FROM part p JOIN pg_constraint k ON k.conrelid = p.oid WHERE k.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT 3, i.indexrelid, replace(pg_get_indexdef(i.indexrelid), p.is_on_home, ' ON ' || p.next || ' ')
    FROM part p JOIN pg_index i ON i.indrelid = p.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 4, f.oid, replace(pg_get_functiondef(f.oid), format('FUNCTION %s.', f.pronamespace::regnamespace),
                             'FUNCTION ionet_next.')
    FROM pg_proc f WHERE f.oid = ANY($1)
    UNION ALL
    SELECT 5, oid, format('CREATE VIEW %s%s AS %s', next, options, rtrim(pg_get_viewdef(oid), ';'))
    FROM part WHERE relkind = 'v'
    UNION ALL
    SELECT 6, t.oid, replace(replace(pg_get_triggerdef(t.oid), p.is_on_home, ' ON ' || p.next || ' '),
                             p.is_on, ' ON ' || p.next || ' ')
    FROM part p JOIN pg_trigger t ON t.tgrelid = p.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 7, p.oid, format('GRANT %s ON %s TO %s', a.privilege_type, p.next,
                            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM part p, LATERAL aclexplode(p.relacl) a WHERE a.grantee <> p.relowner
) s ORDER BY step, oid

-- name: keep_migrations
-- Nobody changes the schema from here to the end of the transaction.
SELECT pg_advisory_xact_lock_shared($1)

-- name: keep_parameters
-- Taken before any trigger takes its own lock, in the order in which those who read parameters take both.
LOCK TABLE parameters, online_nodes IN SHARE MODE

-- name: parameters
INSERT INTO ionet_next.parameters AS p SELECT * FROM {home}.parameters
ON CONFLICT (network) DO UPDATE SET
    slot = excluded.slot, stake_per_processor = excluded.stake_per_processor,
    co_stake_max_percent = excluded.co_stake_max_percent, params = excluded.params

-- name: count_offers
SELECT count_offers()

-- name: swapped
UPDATE revisions SET changes = changes + 1

-- name: waits
-- From here to the end of the transaction whoever looks (swap_waits) knows that the tables wait to change places.
SELECT pg_advisory_xact_lock($1)

-- name: end_readers
-- Whoever holds one of these tables, or their names, in a transaction older than this many seconds ($2), or of which
-- this role may not know how old it is. Whom it may end is ended.
SELECT a.usename AS role, extract(epoch FROM clock_timestamp() - a.xact_start)::int AS secs,
       CASE WHEN a.xact_start IS NOT NULL
                 AND (me.rolsuper OR NOT r.rolsuper
                      AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))
            THEN pg_terminate_backend(a.pid) ELSE false END AS ended
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid JOIN pg_roles me ON me.rolname = current_user
WHERE a.pid <> pg_backend_pid()
AND (a.xact_start IS NULL OR a.xact_start < clock_timestamp() - $2 * interval '1 second') AND EXISTS (
    SELECT FROM pg_locks l
    WHERE l.pid = a.pid AND l.granted AND l.database = a.datid
    AND (l.relation = 'generation'::regclass OR l.relation = ANY($1))
)
