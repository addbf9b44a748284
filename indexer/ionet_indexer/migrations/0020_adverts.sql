-- What nodes say of themselves (`ionet.advert`), and when. Not derived from events, so `rebuild` keeps it.

-- The last advert of each node. One that says the same again changes only `seq`, `expires`, `seen_at` and what is signed.
CREATE TABLE adverts (
    node text PRIMARY KEY,
    device_key text NOT NULL,                  -- that signed it
    seq bigint NOT NULL,
    expires bigint NOT NULL,                   -- unix seconds
    seen_at bigint NOT NULL,                   -- when it came
    since bigint NOT NULL,                     -- when the first came that says the same
    content bytea NOT NULL,                    -- sha256 of what it says
    endpoints json NOT NULL,                   -- host:port, the best first
    body text NOT NULL,                        -- the very bytes that were signed
    signature text NOT NULL                    -- hex
) WITH (fillfactor = 50);

-- Every change of what a node says; the newest 100 of each.
CREATE TABLE advert_changes (
    node text NOT NULL,
    at bigint NOT NULL,                        -- when it came
    seq bigint NOT NULL,
    body text NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (node, at, seq)
);

-- The minutes of a day in which a valid advert came: bit n of `bits` is minute n, the lowest bit of a byte first.
CREATE TABLE node_minutes (
    node text NOT NULL,
    day integer NOT NULL,                      -- since 1970
    bits bytea NOT NULL,                       -- 180 bytes
    PRIMARY KEY (node, day)
) WITH (fillfactor = 50);

-- Nodes with an advert that is valid, not older than three minutes, and signed by their device key. A sweep by the API
-- keeps it, so that what is counted by it changes for all nodes at once, every few seconds.
CREATE TABLE online_nodes (node text PRIMARY KEY);

-- The minute up to which time scores are told, and how many nodes that are not retired are online. One row.
CREATE TABLE advert_clock (minute bigint NOT NULL, nodes_online bigint NOT NULL, processors_online bigint NOT NULL);
INSERT INTO advert_clock VALUES (0, 0, 0);

-- As in 0016_offers.sql, and a node that nobody can reach is not rentable.
CREATE OR REPLACE VIEW node_offers AS
SELECT n.node, n.model, n.country, n.tier, n.processors, n.price,
       CASE WHEN n.flags & 4 <> 0 THEN 'blocked' WHEN n.flags & 8 <> 0 THEN 'frozen'
            WHEN n.current_lease IS NOT NULL THEN 'leased'
            WHEN n.flags & 1 <> 0 THEN 'paused' WHEN n.flags & 16 <> 0 THEN 'absent'
            WHEN m.enabled IS NOT TRUE THEN 'disabled'
            WHEN p.network IS NULL OR p.stake_per_processor IS NULL THEN 'unknown'
            WHEN counted_stake(n.owner_bonded_shares, n.bonded_shares, n.bonded, p.co_stake_max_percent)
                < required_stake(p.stake_per_processor, m.multiplier, n.processors) THEN 'unstaked'
            WHEN NOT EXISTS (SELECT FROM online_nodes o WHERE o.node = n.node) THEN 'offline'
            ELSE 'rentable' END AS state
FROM nodes n LEFT JOIN models m ON m.code = n.model LEFT JOIN current_parameters p ON true
WHERE n.flags & 2 = 0;

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

CREATE OR REPLACE FUNCTION keep_all_offers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_offers();
    RETURN NULL;
END $$;

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

SELECT count_offers();

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
    UPDATE advert_clock SET minute = greatest(n.minute, advert_clock.minute), nodes_online = n.nodes, processors_online = n.processors
    FROM (
        SELECT CASE WHEN EXISTS (SELECT FROM adverts) THEN moment / 60 ELSE 0 END AS minute,
               count(*) AS nodes, coalesce(sum(n.processors), 0) AS processors
        FROM online_nodes o JOIN nodes n USING (node) WHERE n.flags & 2 = 0
    ) n
    WHERE (advert_clock.minute, nodes_online, processors_online)
        IS DISTINCT FROM (greatest(n.minute, advert_clock.minute), n.nodes, n.processors);
    IF FOUND OR came IS NOT NULL OR went IS NOT NULL THEN
        UPDATE revisions SET changes = changes + 1;
    END IF;
END $$;
