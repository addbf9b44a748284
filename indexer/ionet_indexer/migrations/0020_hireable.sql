-- Which nodes can be hired is said once, by the view `node_offers`. The totals add up what `offers` counts of it.

DROP TRIGGER models_came_or_went ON models;
DROP TRIGGER models_changed ON models;
DROP TRIGGER networks_came_or_went ON networks;
DROP TRIGGER networks_changed ON networks;
DROP TRIGGER parameters_came ON parameters;
DROP TRIGGER parameters_changed ON parameters;
DROP FUNCTION count_hireable();
DROP TRIGGER nodes_inserted ON nodes;
DROP TRIGGER nodes_deleted ON nodes;
DROP TRIGGER nodes_updated ON nodes;

DO $do$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT * FROM (VALUES
        ('nodes', $$
            VALUES ('nodes', '', 1::numeric), ('nodes_of_model', r.model::text, 1), ('processors', '', r.processors),
                   ('bonded', '', r.bonded), ('unbonding', '', r.unbonding), ('slashed', '', r.slashed),
                   ('rewards_unclaimed', '', r.owner_rewards + r.co_rewards), ('served_secs', '', r.served_secs),
                   ('cases_open', '', CASE WHEN r.open_case IS NULL THEN 0 ELSE 1 END),
                   ('nodes_listed', '', CASE WHEN r.flags & 2 = 0 THEN 1 ELSE 0 END),
                   ('processors_listed', '', CASE WHEN r.flags & 2 = 0 THEN r.processors ELSE 0 END),
                   ('nodes_hired', '', CASE WHEN r.current_lease IS NULL THEN 0 ELSE 1 END),
                   ('processors_hired', '', CASE WHEN r.current_lease IS NULL THEN 0 ELSE r.processors END)
            UNION ALL
            SELECT 'income_unclaimed', x.currency, x.unclaimed
            FROM json_to_recordset(r.income) AS x(currency text, unclaimed numeric)
        $$),
        ('offers', $$
            VALUES ('nodes_hireable', '', r.nodes_rentable::numeric), ('processors_hireable', '', r.processors_rentable)
        $$)
    ) AS v (source, parts) LOOP
        EXECUTE format('CREATE TRIGGER %I_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION keep_totals(%L)', part.source, part.source, part.parts);
        EXECUTE format('CREATE TRIGGER %I_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION keep_totals(%L)', part.source, part.source, part.parts);
        EXECUTE format('CREATE TRIGGER %I_updated AFTER UPDATE ON %I
                        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION keep_totals(%L)', part.source, part.source, part.parts);
    END LOOP;
END $do$;

DELETE FROM totals WHERE name IN ('nodes_hireable', 'processors_hireable');
INSERT INTO totals (name, key, value)
SELECT p.name, '', p.value
FROM (SELECT sum(nodes_rentable) AS nodes, sum(processors_rentable) AS processors FROM offers) o,
     LATERAL (VALUES ('nodes_hireable', o.nodes), ('processors_hireable', o.processors)) p (name, value)
WHERE p.value <> 0;
