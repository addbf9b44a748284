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
    endpoints json NOT NULL,                   -- host:port, the best first, relays last
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

-- The minute up to which time scores are told. One row.
CREATE TABLE advert_clock (minute bigint NOT NULL);
INSERT INTO advert_clock (minute) VALUES (0);
