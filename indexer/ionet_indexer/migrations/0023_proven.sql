-- A proof says itself what it brings to the series: most parts were those of proofs, and cost a tenth of what an event costs.

ALTER TABLE proofs
    ADD COLUMN processor_secs bigint NOT NULL DEFAULT 0,  -- what it proves beyond the proof before of its interval
    ADD COLUMN model integer NOT NULL DEFAULT -1,  -- of the lease
    ADD COLUMN country integer NOT NULL DEFAULT -1;
ALTER TABLE proofs
    ALTER COLUMN processor_secs DROP DEFAULT, ALTER COLUMN model DROP DEFAULT, ALTER COLUMN country DROP DEFAULT;

DROP FUNCTION keep_series() CASCADE;

-- Makes the triggers that keep series and standings in step with the table `source`. parts: the columns of series_parts,
-- as SQL over that table's columns. One function for each, so that the server plans it once.
CREATE PROCEDURE keep_series(source text, parts text) LANGUAGE plpgsql AS $do$
BEGIN
    EXECUTE replace(replace($f$
CREATE FUNCTION keep_series_of_SOURCE() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    -- First by hour, so that a batch is multiplied by its scopes and periods when it is small already. To the end of a day
    -- it is, from anywhere in an hour, as long as to the end of that hour and then through the hours that follow.
    WITH hours AS MATERIALIZED (
        SELECT p.field, p.model, p.country, p.node, p.owner, p.at - p.at % 3600 AS hour, sum(sign * p.value) AS value,
               sum(sign * p.value * (3600 - p.at % 3600)) AS weighted, sum(sign) AS events, max(p.position) AS position
        FROM (SELECT PARTS FROM changed) p
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
            FROM (SELECT PARTS FROM changed) p
            CROSS JOIN LATERAL (VALUES ('network', NULL, NULL), ('model:' || p.model, p.model, NULL),
                                       ('country:' || p.country, NULL, p.country)) x (scope, model, country)
            CROSS JOIN (VALUES ('hour', 3600), ('day', 86400)) y (step, secs)
        ), emptied AS (
            DELETE FROM series s USING touched t
            WHERE (s.scope, s.field, s.step, s.bucket) = (t.scope, t.field, t.step, t.bucket) AND s.events = 0
        )
        UPDATE series s SET position = (
            SELECT max(p.position) FROM (SELECT PARTS FROM SOURCE) p
            WHERE p.field = t.field AND p.at >= t.bucket AND p.at < t.bucket + t.secs
            AND (t.model IS NULL OR p.model = t.model) AND (t.country IS NULL OR p.country = t.country)
        )
        FROM touched t
        WHERE (s.scope, s.field, s.step, s.bucket) = (t.scope, t.field, t.step, t.bucket) AND s.events > 0;
        DELETE FROM standings s
        USING (
            SELECT DISTINCT x.kind, p.field, y.period, start_of(y.period, p.at) AS start, x.key
            FROM (SELECT PARTS FROM changed) p
            CROSS JOIN LATERAL (VALUES ('node', p.node), ('owner', p.owner), ('model', p.model::text),
                                       ('country', p.country::text)) x (kind, key)
            CROSS JOIN (VALUES ('day'), ('week'), ('month'), ('all')) y (period)
        ) t
        WHERE (s.kind, s.field, s.period, s.start, s.key) = (t.kind, t.field, t.period, t.start, t.key)
        AND s.events = 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER series_of_SOURCE_came AFTER INSERT ON SOURCE REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_series_of_SOURCE();
CREATE TRIGGER series_of_SOURCE_went AFTER DELETE ON SOURCE REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION keep_series_of_SOURCE();
$f$, 'PARTS', parts), 'SOURCE', source);
END $do$;

CALL keep_series('series_parts', 'position, field, at, model, country, node, owner, value');
CALL keep_series('proofs', $$
    position, 'proven' AS field, at, model, country, '' AS node, '' AS owner, processor_secs AS value
$$);

-- It is asked for one value at a time; a hash costs less to write, and a third of the space.
DROP INDEX proofs_root;
CREATE INDEX proofs_root ON proofs USING hash (root);

UPDATE checkpoint SET refold = true;
