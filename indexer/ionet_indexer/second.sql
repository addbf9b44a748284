-- name: begin
DROP SCHEMA IF EXISTS ionet_next, ionet_last CASCADE;
CREATE SCHEMA ionet_next;
CREATE SCHEMA ionet_last;

-- name: end
DROP SCHEMA IF EXISTS ionet_next, ionet_last CASCADE

-- name: is_left
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname IN ('ionet_next', 'ionet_last'))

-- name: use
SET LOCAL search_path = ionet_next, public

-- name: version
SELECT string_agg(name, ',' ORDER BY name) FROM schema_migrations

-- name: parts
-- What is made a second time: the tables, the views over them, and functions whose rows are theirs.
WITH RECURSIVE relation AS (
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY($1)
    UNION
    SELECT v.oid
    FROM relation r
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
    JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    JOIN pg_class v ON v.oid = w.ev_class
    WHERE v.relkind = 'v' AND v.relnamespace = 'public'::regnamespace
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
           format(' ON %I ', c.relname) AS is_on, format(' ON public.%I ', c.relname) AS is_on_public,
           CASE WHEN c.reloptions IS NULL THEN '' ELSE format(' WITH (%s)', array_to_string(c.reloptions, ', ')) END
               AS options,
           c.relacl, c.relowner
    FROM pg_class c WHERE c.oid = ANY($1)
)
SELECT statement FROM (
    SELECT 1 AS step, oid, format('CREATE TABLE %s (LIKE public.%I INCLUDING ALL EXCLUDING INDEXES)%s', next, name, options)
        AS statement
    FROM part WHERE relkind = 'r'
    UNION ALL
    SELECT 2, k.oid, format('ALTER TABLE %s ADD CONSTRAINT %I %s', next, k.conname, pg_get_constraintdef(k.oid))
    FROM part p JOIN pg_constraint k ON k.conrelid = p.oid WHERE k.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT 3, i.indexrelid, replace(pg_get_indexdef(i.indexrelid), p.is_on_public, ' ON ' || p.next || ' ')
    FROM part p JOIN pg_index i ON i.indrelid = p.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 4, f.oid, replace(pg_get_functiondef(f.oid), 'FUNCTION public.', 'FUNCTION ionet_next.')
    FROM pg_proc f WHERE f.oid = ANY($1)
    UNION ALL
    SELECT 5, oid, format('CREATE VIEW %s%s AS %s', next, options, rtrim(pg_get_viewdef(oid), ';'))
    FROM part WHERE relkind = 'v'
    UNION ALL
    SELECT 6, t.oid, replace(replace(pg_get_triggerdef(t.oid), p.is_on_public, ' ON ' || p.next || ' '),
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
LOCK TABLE public.parameters, public.online_nodes IN SHARE MODE

-- name: parameters
INSERT INTO ionet_next.parameters AS p SELECT * FROM public.parameters
ON CONFLICT (network) DO UPDATE SET
    slot = excluded.slot, stake_per_processor = excluded.stake_per_processor,
    co_stake_max_percent = excluded.co_stake_max_percent, params = excluded.params

-- name: count_offers
SELECT count_offers()

-- name: swapped
UPDATE public.revisions SET changes = changes + 1
