-- A node may have forgotten when a block was made: then the time is not known.
ALTER TABLE transactions ALTER COLUMN block_time DROP NOT NULL;
ALTER TABLE events ALTER COLUMN block_time DROP NOT NULL;

-- The time of the newest event whose block has one.
CREATE VIEW newest AS SELECT (
    SELECT block_time FROM events WHERE block_time IS NOT NULL ORDER BY position DESC LIMIT 1
) AS time;
