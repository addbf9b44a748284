-- Events that this version knows, and of which no other table has anything: one that it does not know created what they name.
-- Derived from events; `ionet indexer rebuild` makes it again.

CREATE TABLE unfolded (
    position bigint PRIMARY KEY,
    entity text NOT NULL                       -- what an unread event created, or changed
);
