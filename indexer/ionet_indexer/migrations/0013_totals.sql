-- Totals of the network, kept in rows by what changes the tables they sum up: no request counts.
-- Each trigger adds what the rows of one statement bring and takes away what they brought before.

CREATE TABLE totals (
    name text NOT NULL,
    key text NOT NULL,                         -- a currency, a device model's code, or empty
    value numeric NOT NULL,
    PRIMARY KEY (name, key)
);

-- Makes the triggers that keep a table of sums in step with the table `source`. keys: the key columns of the sums. parts: SQL
-- for what the rows `r` bring (those columns, value); each is a row of `source` with `sign`, 1 where it came and -1 where it
-- went. operations: what happens to rows of `source`. One function for each pair, so that the server plans it once.
CREATE PROCEDURE keep_sums(sums text, keys text, source text, parts text, operations text[]) LANGUAGE plpgsql AS $do$
DECLARE
    operation text;
BEGIN
    FOREACH operation IN ARRAY operations LOOP
        EXECUTE format(
            'CREATE FUNCTION keep_%1$s_of_%2$s_%3$s() RETURNS trigger LANGUAGE plpgsql AS $f$
             BEGIN
                 %4$s
                 WITH r AS (%5$s)
                 INSERT INTO %1$I AS t (%6$s, value)
                 SELECT %7$s, sum(p.value) FROM (%8$s) p (%6$s, value) GROUP BY %7$s HAVING sum(p.value) <> 0
                 ON CONFLICT (%6$s) DO UPDATE SET value = t.value + excluded.value;
                 RETURN NULL;
             END $f$',
            sums, source, operation,
            -- Parameters, which a node''s part depends on, change in another connection: not between here and the commit.
            CASE source WHEN 'nodes' THEN 'PERFORM pg_advisory_xact_lock_shared(283574275);' ELSE '' END,
            CASE operation
                WHEN 'insert' THEN 'SELECT 1 AS sign, n.* FROM new_rows n'
                WHEN 'delete' THEN 'SELECT -1 AS sign, o.* FROM old_rows o'
                ELSE 'SELECT 1 AS sign, n.* FROM new_rows n UNION ALL SELECT -1, o.* FROM old_rows o' END,
            keys, regexp_replace(keys, '(\w+)', 'p.\1', 'g'), parts
        );
        EXECUTE format(
            'CREATE TRIGGER %1$s_of_%2$s_%3$s AFTER %3$s ON %2$I REFERENCING %4$s
             FOR EACH STATEMENT EXECUTE FUNCTION keep_%1$s_of_%2$s_%3$s()',
            sums, source, operation,
            CASE operation WHEN 'insert' THEN 'NEW TABLE AS new_rows' WHEN 'delete' THEN 'OLD TABLE AS old_rows'
                           ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END
        );
    END LOOP;
END $do$;

-- Argument: the rows of `owed` that came or went.
CREATE FUNCTION keep_owed_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed record;
BEGIN
    FOR changed IN EXECUTE format('SELECT DISTINCT owner, currency FROM %I', TG_ARGV[0]) LOOP
        DELETE FROM owed_balances b WHERE b.owner = changed.owner AND b.currency = changed.currency;
        INSERT INTO owed_balances (owner, currency, amount, position)
        SELECT o.owner, o.currency, sum(o.amount), max(o.position)
        FROM owed o
        WHERE o.owner = changed.owner AND o.currency = changed.currency AND o.kind = 'owed' AND o.position > coalesce((
            SELECT max(c.position) FROM owed c
            WHERE c.kind = 'claimed' AND c.owner = changed.owner AND c.currency = changed.currency
        ), -1)
        GROUP BY o.owner, o.currency;
    END LOOP;
    RETURN NULL;
END $$;

-- Tells caches of answers of what neither an event nor an undo tells.
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE revisions SET changes = changes + 1;
    RETURN NULL;
END $$;

CALL keep_sums('totals', 'name, key', 'nodes', $$
    SELECT v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES ('nodes', '', 1::numeric), ('nodes_of_model', r.model::text, 1), ('processors', '', r.processors),
               ('bonded', '', r.bonded), ('unbonding', '', r.unbonding), ('slashed', '', r.slashed),
               ('rewards_unclaimed', '', r.owner_rewards + r.co_rewards), ('served_secs', '', r.served_secs),
               ('cases_open', '', CASE WHEN r.open_case IS NULL THEN 0 ELSE 1 END),
               ('nodes_listed', '', CASE WHEN r.flags & 2 = 0 THEN 1 ELSE 0 END),
               ('processors_listed', '', CASE WHEN r.flags & 2 = 0 THEN r.processors ELSE 0 END),
               ('nodes_hired', '', CASE WHEN r.current_lease IS NULL THEN 0 ELSE 1 END),
               ('processors_hired', '', CASE WHEN r.current_lease IS NULL THEN 0 ELSE r.processors END)
    ) v (name, key, value)
    UNION ALL
    SELECT 'income_unclaimed', x.currency, r.sign * x.unclaimed
    FROM r CROSS JOIN json_to_recordset(r.income) AS x(currency text, unclaimed numeric)
$$, '{insert,delete,update}');
CALL keep_sums('totals', 'name, key', 'clusters', $$
    SELECT v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES ('clusters', r.currency, 1::numeric), ('deposit', r.currency, r.deposit),
               ('clusters_open', '', CASE WHEN r.status = 'open' THEN 1 ELSE 0 END),
               ('escrow', r.currency,
                CASE WHEN r.status = 'open' THEN r.deposit - r.paid - r.fees - r.refunded ELSE 0 END),
               ('locked', r.currency, r.locked), ('paid', r.currency, r.paid),
               ('fees', r.currency, r.fees - r.burned), ('burned', r.currency, r.burned),
               ('refunded', r.currency, r.refunded)
    ) v (name, key, value)
$$, '{insert,delete,update}');
CALL keep_sums('totals', 'name, key', 'leases', $$
    SELECT v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES ('leases', '', 1::numeric), ('leases_active', '', CASE WHEN r.status = 'active' THEN 1 ELSE 0 END),
               ('disputes_open', '', CASE WHEN r.dispute_to IS NULL THEN 0 ELSE 1 END)
    ) v (name, key, value)
$$, '{insert,delete,update}');
CALL keep_sums('totals', 'name, key', 'proofs', $$
    SELECT 'proofs', '', sum(r.sign) FROM r
$$, '{insert,delete}');
CALL keep_sums('totals', 'name, key', 'owed_balances', $$
    SELECT v.name, v.key, r.sign * v.value
    FROM r, LATERAL (
        VALUES ('owed', r.currency, r.amount)
    ) v (name, key, value)
$$, '{insert,delete,update}');

CREATE TRIGGER owed_came AFTER INSERT ON owed REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION keep_owed_balances('new_rows');
CREATE TRIGGER owed_went AFTER DELETE ON owed REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION keep_owed_balances('old_rows');

CREATE TRIGGER parameters_came_noted AFTER INSERT ON parameters
FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER parameters_changed_noted AFTER UPDATE ON parameters FOR EACH ROW
WHEN (OLD.params::text IS DISTINCT FROM NEW.params::text)
EXECUTE FUNCTION note_change();
CREATE TRIGGER leaf_sets_changed AFTER INSERT OR DELETE ON leaf_sets
FOR EACH STATEMENT EXECUTE FUNCTION note_change();
