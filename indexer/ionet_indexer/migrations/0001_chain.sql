-- What was read from the chain. Every table of the topics can be computed again from these.

CREATE TABLE checkpoint (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    genesis text NOT NULL,                     -- the chain this database belongs to
    program text NOT NULL,
    indexed_slot bigint NOT NULL,              -- every event of a confirmed slot up to here is in
    finalized_slot bigint NOT NULL,            -- nothing up to here can be undone any more
    refold boolean NOT NULL DEFAULT false,     -- derived tables are older than the schema
    CHECK (finalized_slot <= indexed_slot)
);

-- Heads the writer has seen and that are not final yet: between the last one that the chain still has and the first
-- one that it has not, the chain forked.
CREATE TABLE heads (
    slot bigint PRIMARY KEY,
    blockhash text NOT NULL
);

CREATE TABLE transactions (
    signature text PRIMARY KEY,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,                 -- place in its slot
    block_time bigint NOT NULL                 -- unix seconds
);
CREATE INDEX transactions_slot ON transactions (slot);

CREATE TABLE events (
    position bigint PRIMARY KEY,               -- slot, transaction, outer and inner instruction as one ordered number
    signature text NOT NULL,
    outer_ix smallint NOT NULL,
    inner_ix smallint NOT NULL,                -- place in the flat list of inner instructions
    block_time bigint NOT NULL,                -- unix seconds
    name text NOT NULL,
    data bytea NOT NULL                        -- discriminator and payload, as the program wrote them
);
-- Those of a transaction are found by its place: an index of signatures beside that of `transactions` cost a tenth of all
-- that an event costs.
-- Events of a later version of the program, until an indexer that knows them reads them.
CREATE INDEX events_unread ON events (position) WHERE name = 'Unread';
CREATE INDEX events_name ON events (name, position);
CREATE INDEX events_time ON events (block_time, position);

-- Which entities an event belongs to, and its number in each one's own count: a hole in `seq` proves a loss.
CREATE TABLE event_entities (
    entity text NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    position bigint NOT NULL,
    PRIMARY KEY (entity, position) INCLUDE (seq)  -- of an entity both rise together; the writer sees to that
);
CREATE INDEX event_entities_position ON event_entities (position);

-- Every time that slots were undone, so that followers of the event stream can go back too.
CREATE TABLE undos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot bigint NOT NULL                       -- everything after it was undone
);

-- Readers hold it while they answer, so that whoever puts new tables in the place of others waits for them to finish.
CREATE TABLE generation ();

-- Counts what changed answers beside events and undos: uploaded leaves, parameters read, tables made again.
CREATE TABLE revisions (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    changes bigint NOT NULL
);
INSERT INTO revisions (changes) VALUES (0);

-- What the writer knows about itself, for /health of any API process.
CREATE TABLE status (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    checked_at double precision NOT NULL,      -- unix seconds of the last pass, whatever came of it
    node_slot bigint NOT NULL,                 -- the node's confirmed slot then
    problem text                               -- why the tables do not advance, null when they do
);
