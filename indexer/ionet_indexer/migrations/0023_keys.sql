-- Keys that only events held: who got the first tokens, and every session key that a cluster had.
-- Derived from events; `ionet indexer rebuild` empties and refills it.

ALTER TABLE networks ADD COLUMN genesis_owner text;

CREATE TABLE session_keys (
    position bigint PRIMARY KEY,               -- of the event that set it
    cluster text NOT NULL,
    session_key text NOT NULL
);
CREATE INDEX session_keys_key ON session_keys (session_key, position);
DROP INDEX clusters_session_key;

UPDATE checkpoint SET refold = true;
