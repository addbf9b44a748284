-- What can be rented now, and what keeps the rest from it, by device model, country and tier.
-- Derived from events, parameters and adverts; triggers on nodes, models, parameters and online_nodes keep both in step.

-- Each node that is not retired, with the first thing that keeps it from being hired, and whether it is online; a node
-- that nobody can reach is not rentable. See docs/api.md.
CREATE VIEW node_offers AS
SELECT n.node, n.model, n.country, n.tier, n.processors, n.price,
       CASE WHEN n.flags & 4 <> 0 THEN 'blocked' WHEN n.flags & 8 <> 0 THEN 'frozen'
            WHEN n.current_lease IS NOT NULL THEN 'leased'
            WHEN n.flags & 1 <> 0 THEN 'paused' WHEN n.flags & 16 <> 0 THEN 'absent'
            WHEN m.enabled IS NOT TRUE THEN 'disabled'
            WHEN p.network IS NULL OR p.stake_per_processor IS NULL THEN 'unknown'
            WHEN counted_stake(n.owner_bonded_shares, n.bonded_shares, n.bonded, p.co_stake_max_percent)
                < required_stake(p.stake_per_processor, m.multiplier, n.processors) THEN 'unstaked'
            WHEN o.node IS NULL THEN 'offline'
            ELSE 'rentable' END AS state,
       o.node IS NOT NULL AS online
FROM nodes n LEFT JOIN online_nodes o ON o.node = n.node LEFT JOIN models m ON m.code = n.model LEFT JOIN current_parameters p ON true
WHERE n.flags & 2 = 0;

CREATE TABLE offered (
    node text PRIMARY KEY,
    model integer NOT NULL,
    country integer NOT NULL,
    tier integer NOT NULL,
    processors integer NOT NULL,
    price numeric(20) NOT NULL,
    state text NOT NULL,                       -- rentable, or why not
    online boolean NOT NULL
);
CREATE INDEX offered_group ON offered (model, country, tier, state, price, node);

CREATE TABLE offers (
    model integer NOT NULL,
    country integer NOT NULL,
    tier integer NOT NULL,
    nodes bigint NOT NULL,
    processors bigint NOT NULL,
    nodes_rentable bigint NOT NULL,
    processors_rentable bigint NOT NULL,
    min_price numeric(20),                     -- asked by rentable nodes
    median_price numeric(20),                  -- over rentable processors
    why_not json NOT NULL,                     -- state → nodes, for those that are not rentable
    PRIMARY KEY (model, country, tier)
);
CREATE INDEX offers_country ON offers (country, model, tier);
CREATE INDEX offers_tier ON offers (tier, model, country);

-- The rows of `offers` for some groups, each given by its place in three arrays.
CREATE FUNCTION offers_of(models integer[], countries integer[], tiers integer[]) RETURNS SETOF offers
LANGUAGE sql STABLE AS $$
    SELECT g.model, g.country, g.tier, a.nodes, a.processors, a.nodes_rentable, a.processors_rentable, a.min_price,
           (SELECT x.price FROM (
                SELECT o.price, o.node, sum(o.processors) OVER (ORDER BY o.price, o.node) AS upto FROM offered o
                WHERE (o.model, o.country, o.tier, o.state) = (g.model, g.country, g.tier, 'rentable')
            ) x WHERE 2 * x.upto >= a.processors_rentable ORDER BY x.price, x.node LIMIT 1),
           a.why_not
    FROM unnest(models, countries, tiers) g (model, country, tier), LATERAL (
        SELECT sum(s.nodes)::bigint AS nodes, sum(s.processors)::bigint AS processors,
               coalesce(sum(s.nodes) FILTER (WHERE s.state = 'rentable'), 0)::bigint AS nodes_rentable,
               coalesce(sum(s.processors) FILTER (WHERE s.state = 'rentable'), 0)::bigint AS processors_rentable,
               min(s.price) FILTER (WHERE s.state = 'rentable') AS min_price,
               coalesce(json_object_agg(s.state, s.nodes ORDER BY s.state) FILTER (WHERE s.state <> 'rentable'), '{}')
                   AS why_not
        FROM (
            SELECT o.state, count(*) AS nodes, sum(o.processors) AS processors, min(o.price) AS price FROM offered o
            WHERE (o.model, o.country, o.tier) = (g.model, g.country, g.tier) GROUP BY o.state
        ) s
    ) a
    WHERE a.nodes > 0
$$;

-- The nodes that came, went or changed are `changed`.
CREATE FUNCTION keep_offers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    models integer[];
    countries integer[];
    tiers integer[];
BEGIN
    -- As for the totals of nodes.
    PERFORM pg_advisory_xact_lock_shared(283574275);
    WITH now AS (
        SELECT v.* FROM changed c JOIN node_offers v USING (node)
    ), was AS (
        SELECT o.* FROM changed c JOIN offered o USING (node)
    ), gone AS (
        DELETE FROM offered o USING was
        WHERE o.node = was.node AND NOT EXISTS (SELECT FROM now WHERE now.node = was.node)
        RETURNING o.model, o.country, o.tier
    ), new AS (
        SELECT now.*, was.model AS old_model, was.country AS old_country, was.tier AS old_tier
        FROM now LEFT JOIN was USING (node)
        WHERE (was.model, was.country, was.tier, was.processors, was.price, was.state, was.online)
            IS DISTINCT FROM (now.model, now.country, now.tier, now.processors, now.price, now.state, now.online)
    ), put AS (
        INSERT INTO offered SELECT node, model, country, tier, processors, price, state, online FROM new
        ON CONFLICT (node) DO UPDATE SET
            model = excluded.model, country = excluded.country, tier = excluded.tier,
            processors = excluded.processors, price = excluded.price, state = excluded.state, online = excluded.online
    )
    SELECT array_agg(g.model), array_agg(g.country), array_agg(g.tier) INTO models, countries, tiers FROM (
        SELECT model, country, tier FROM gone
        UNION SELECT model, country, tier FROM new
        UNION SELECT old_model, old_country, old_tier FROM new WHERE old_model IS NOT NULL
    ) g;
    IF models IS NOT NULL THEN
        DELETE FROM offers o USING unnest(models, countries, tiers) g (model, country, tier)
        WHERE (o.model, o.country, o.tier) = (g.model, g.country, g.tier);
        INSERT INTO offers SELECT * FROM offers_of(models, countries, tiers);
    END IF;
    RETURN NULL;
END $$;

-- Count all offers again.
CREATE FUNCTION count_offers() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(283574275);
    DELETE FROM offered;
    DELETE FROM offers;
    INSERT INTO offered SELECT * FROM node_offers;
    INSERT INTO offers SELECT o.* FROM (
        SELECT array_agg(model) AS models, array_agg(country) AS countries, array_agg(tier) AS tiers
        FROM (SELECT DISTINCT model, country, tier FROM offered) d
    ) g, offers_of(g.models, g.countries, g.tiers) o;
END $$;

-- A device model or the parameters changed: look at every node again.
CREATE FUNCTION keep_all_offers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_offers();
    RETURN NULL;
END $$;

-- Totals of nodes by what can be done with them. Whether a node is online is no word of the chain's, so what `add_lease`
-- would take does not depend on it.
CALL keep_sums('totals', 'name, key', 'offered', $$
    SELECT w.name || u.name, '', r.sign * w.value
    FROM r, LATERAL (
        VALUES ('hireable', r.state IN ('rentable', 'offline')), ('online', r.online), ('rentable', r.state = 'rentable')
    ) u (name, holds), LATERAL (VALUES ('nodes_', 1::numeric), ('processors_', r.processors)) w (name, value)
    WHERE u.holds
$$, '{insert,delete,update}');

CREATE TRIGGER offered_came AFTER INSERT ON nodes REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers();
CREATE TRIGGER offered_went AFTER DELETE ON nodes REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers();
CREATE TRIGGER offered_changed AFTER UPDATE ON nodes REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers();
CREATE TRIGGER offers_of_models AFTER INSERT OR DELETE ON models
FOR EACH ROW EXECUTE FUNCTION keep_all_offers();
CREATE TRIGGER offers_of_changed_models AFTER UPDATE ON models FOR EACH ROW
WHEN ((OLD.enabled, OLD.multiplier) IS DISTINCT FROM (NEW.enabled, NEW.multiplier))
EXECUTE FUNCTION keep_all_offers();
CREATE TRIGGER offers_of_networks AFTER INSERT OR DELETE ON networks
FOR EACH ROW EXECUTE FUNCTION keep_all_offers();
CREATE TRIGGER offers_of_changed_networks AFTER UPDATE ON networks FOR EACH ROW
WHEN (OLD.params::text IS DISTINCT FROM NEW.params::text)
EXECUTE FUNCTION keep_all_offers();
CREATE TRIGGER offers_of_parameters AFTER INSERT ON parameters
FOR EACH ROW EXECUTE FUNCTION keep_all_offers();
CREATE TRIGGER offers_of_changed_parameters AFTER UPDATE ON parameters FOR EACH ROW
WHEN (OLD.params::text IS DISTINCT FROM NEW.params::text)
EXECUTE FUNCTION keep_all_offers();

-- Which nodes are online is swept beside the writer: offers are changed by one of both at a time.
CREATE FUNCTION keep_offers_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(283574275);
    RETURN NULL;
END $$;
CREATE TRIGGER offered_alone BEFORE INSERT OR DELETE ON online_nodes
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers_alone();
CREATE TRIGGER offered_came_online AFTER INSERT ON online_nodes REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers();
CREATE TRIGGER offered_went_offline AFTER DELETE ON online_nodes REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_offers();

-- Say which nodes are online at a moment (unix seconds), and how far time scores go.
CREATE FUNCTION sweep_adverts(moment bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    came text[];
    went text[];
BEGIN
    WITH valid AS (
        SELECT a.node FROM adverts a JOIN nodes n ON n.node = a.node AND n.device_key = a.device_key
        WHERE a.expires > moment AND a.seen_at > moment - 180
    )
    SELECT array_agg(v.node) FILTER (WHERE o.node IS NULL), array_agg(o.node) FILTER (WHERE v.node IS NULL)
    INTO came, went FROM valid v FULL JOIN online_nodes o ON o.node = v.node
    WHERE v.node IS NULL OR o.node IS NULL;
    IF went IS NOT NULL THEN
        DELETE FROM online_nodes WHERE node = ANY (went);
    END IF;
    IF came IS NOT NULL THEN
        INSERT INTO online_nodes SELECT unnest(came) ON CONFLICT DO NOTHING;
    END IF;
    UPDATE advert_clock SET minute = moment / 60 WHERE minute < moment / 60 AND EXISTS (SELECT FROM adverts);
    IF FOUND OR came IS NOT NULL OR went IS NOT NULL THEN
        UPDATE revisions SET changes = changes + 1;
    END IF;
END $$;
