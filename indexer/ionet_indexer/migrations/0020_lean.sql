-- Less to keep for each event: what an index costs, a history that is read pays once for every row.

-- Block times never go back, so the place of the first event of each says where any time begins. An index over the times
-- of all events said no more.
CREATE TABLE times (
    block_time bigint PRIMARY KEY,             -- unix seconds
    position bigint NOT NULL                   -- of the first event then
);
INSERT INTO times SELECT block_time, min(position) FROM events WHERE block_time IS NOT NULL GROUP BY block_time;
DROP INDEX events_time;

CREATE FUNCTION keep_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO times AS t SELECT block_time, min(position) FROM added WHERE block_time IS NOT NULL GROUP BY block_time
    ON CONFLICT (block_time) DO UPDATE SET position = least(t.position, excluded.position);
    RETURN NULL;
END $$;
CREATE TRIGGER events_times AFTER INSERT ON events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION keep_times();

-- Only an undo looks for entities by position, and they are stored in that order.
DROP INDEX event_entities_position;
CREATE INDEX event_entities_position ON event_entities USING brin (position)
    WITH (pages_per_range = 16, autosummarize = on);
