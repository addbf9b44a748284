-- Series of numbers by hour and day, and standings by day, week, month and of all time.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Triggers keep both in step with the parts.

-- What each event brought to each field, or took from it.
CREATE TABLE series_parts (
    position bigint NOT NULL,
    field text NOT NULL,
    at bigint NOT NULL,                        -- the event's time, unix seconds
    model integer NOT NULL,                    -- -1: of the network alone
    country integer NOT NULL,
    node text NOT NULL,                        -- empty: in no standings
    owner text NOT NULL,
    value numeric(39) NOT NULL,
    PRIMARY KEY (position, field, country, node)
);
CREATE INDEX series_parts_field ON series_parts (field, at);

-- Buckets of which a field has parts. Of a number that stands, like processors, `value` is the change in the bucket, and
-- `weighted` that change times the seconds from then to the end of the bucket.
CREATE TABLE series (
    scope text NOT NULL,                       -- network, model:<code>, country:<ISO 3166-1 numeric>
    field text NOT NULL,
    step text NOT NULL,                        -- hour, day
    bucket bigint NOT NULL,                    -- its first second, unix seconds
    value numeric NOT NULL,
    weighted numeric NOT NULL,
    events bigint NOT NULL,                    -- parts in it
    position bigint NOT NULL,                  -- of the last of them
    PRIMARY KEY (scope, field, step, bucket)
) WITH (fillfactor = 80);

-- What each node, owner, model and country brought in a period.
CREATE TABLE standings (
    kind text NOT NULL,                        -- node, owner, model, country
    field text NOT NULL,
    period text NOT NULL,                      -- day, week (from Monday), month, all; of UTC
    start bigint NOT NULL,                     -- its first second; 0 of all
    key text NOT NULL,
    value numeric NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (kind, field, period, start, key)
);
CREATE INDEX standings_rank ON standings (kind, field, period, start, value, key);

CREATE FUNCTION is_ranked(field text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    field IN ('served', 'stake', 'slashed') OR field LIKE 'earned-%' OR field LIKE 'fees-%';

CREATE FUNCTION start_of(period text, at bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE period
    WHEN 'day' THEN at - at % 86400
    WHEN 'week' THEN at - (at + 3 * 86400) % (7 * 86400)  -- 1970 began with a Thursday
    WHEN 'month' THEN extract(epoch FROM date_trunc('month', to_timestamp(at) AT TIME ZONE 'UTC'))::bigint
    ELSE 0
END;

-- The rows of series_parts that came or went are `parts`.
CREATE FUNCTION keep_series() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    -- First by hour, so that a batch is multiplied by its scopes and periods when it is small already. To the end of a day
    -- it is, from anywhere in an hour, as long as to the end of that hour and then through the hours that follow.
    WITH hours AS MATERIALIZED (
        SELECT p.field, p.model, p.country, p.node, p.owner, p.at - p.at % 3600 AS hour, sum(sign * p.value) AS value,
               sum(sign * p.value * (3600 - p.at % 3600)) AS weighted, sum(sign) AS events, max(p.position) AS position
        FROM parts p
        GROUP BY 1, 2, 3, 4, 5, 6
    ), kept AS (
        INSERT INTO series AS s (scope, field, step, bucket, value, weighted, events, position)
        SELECT x.scope, h.field, y.step, h.hour - h.hour % y.secs, sum(h.value),
               sum(h.weighted + h.value * (y.secs - 3600 - h.hour % y.secs)), sum(h.events), max(h.position)
        FROM hours h
        CROSS JOIN LATERAL (VALUES ('network'), (CASE WHEN h.model >= 0 THEN 'model:' || h.model END),
                                   (CASE WHEN h.country >= 0 THEN 'country:' || h.country END)) x (scope)
        CROSS JOIN (VALUES ('hour', 3600), ('day', 86400)) y (step, secs)
        WHERE x.scope IS NOT NULL
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (scope, field, step, bucket) DO UPDATE SET
            value = s.value + excluded.value, weighted = s.weighted + excluded.weighted,
            events = s.events + excluded.events, position = greatest(s.position, excluded.position)
    )
    INSERT INTO standings AS s (kind, field, period, start, key, value, events)
    SELECT x.kind, h.field, y.period, start_of(y.period, h.hour), x.key, sum(h.value), sum(h.events)
    FROM hours h
    CROSS JOIN LATERAL (VALUES ('node', h.node), ('owner', h.owner), ('model', h.model::text),
                               ('country', h.country::text)) x (kind, key)
    CROSS JOIN (VALUES ('day'), ('week'), ('month'), ('all')) y (period)
    WHERE is_ranked(h.field) AND h.node <> ''
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (kind, field, period, start, key) DO UPDATE SET
        value = s.value + excluded.value, events = s.events + excluded.events;

    IF TG_OP = 'DELETE' THEN
        WITH touched AS (
            SELECT DISTINCT x.scope, p.field, y.step, p.at - p.at % y.secs AS bucket, y.secs, x.model, x.country
            FROM parts p
            CROSS JOIN LATERAL (VALUES ('network', NULL, NULL), ('model:' || p.model, p.model, NULL),
                                       ('country:' || p.country, NULL, p.country)) x (scope, model, country)
            CROSS JOIN (VALUES ('hour', 3600), ('day', 86400)) y (step, secs)
        ), emptied AS (
            DELETE FROM series s USING touched t
            WHERE (s.scope, s.field, s.step, s.bucket) = (t.scope, t.field, t.step, t.bucket) AND s.events = 0
        )
        UPDATE series s SET position = (
            SELECT max(p.position) FROM series_parts p
            WHERE p.field = t.field AND p.at >= t.bucket AND p.at < t.bucket + t.secs
            AND (t.model IS NULL OR p.model = t.model) AND (t.country IS NULL OR p.country = t.country)
        )
        FROM touched t
        WHERE (s.scope, s.field, s.step, s.bucket) = (t.scope, t.field, t.step, t.bucket) AND s.events > 0;
        DELETE FROM standings s
        USING (
            SELECT DISTINCT x.kind, p.field, y.period, start_of(y.period, p.at) AS start, x.key
            FROM parts p
            CROSS JOIN LATERAL (VALUES ('node', p.node), ('owner', p.owner), ('model', p.model::text),
                                       ('country', p.country::text)) x (kind, key)
            CROSS JOIN (VALUES ('day'), ('week'), ('month'), ('all')) y (period)
        ) t
        WHERE (s.kind, s.field, s.period, s.start, s.key) = (t.kind, t.field, t.period, t.start, t.key)
        AND s.events = 0;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER series_parts_came AFTER INSERT ON series_parts REFERENCING NEW TABLE AS parts
FOR EACH STATEMENT EXECUTE FUNCTION keep_series();
CREATE TRIGGER series_parts_went AFTER DELETE ON series_parts REFERENCING OLD TABLE AS parts
FOR EACH STATEMENT EXECUTE FUNCTION keep_series();
