-- A node may have forgotten when a block was made: then the time is not known.
ALTER TABLE transactions ALTER COLUMN block_time DROP NOT NULL;
ALTER TABLE events ALTER COLUMN block_time DROP NOT NULL;
