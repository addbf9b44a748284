-- What agents uploaded: the leaves under a root that the chain holds. Not derived from events, so `rebuild` keeps it.

CREATE TABLE leaf_sets (
    lease text NOT NULL,
    interval bigint NOT NULL,
    root text NOT NULL,                        -- hex
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    leaves integer NOT NULL,
    uploaded_at bigint NOT NULL,               -- unix seconds
    body bytea NOT NULL,                       -- task id and sha256 of the result of each leaf, 64 bytes
    blocks bytea NOT NULL,                     -- inner nodes of the tree, one over each 256 leaves
    PRIMARY KEY (lease, interval, root)
);
-- Stored as it is, so that a part of it is read without the rest.
ALTER TABLE leaf_sets ALTER body SET STORAGE EXTERNAL;

-- Where a result is found.
CREATE TABLE leaves (
    result_hash bytea NOT NULL,                -- sha256 of the result
    number bigint NOT NULL REFERENCES leaf_sets (number) ON DELETE CASCADE,
    index integer NOT NULL,
    task_id bytea NOT NULL,
    PRIMARY KEY (result_hash, number, index)
);
CREATE INDEX leaves_task ON leaves (task_id);
CREATE INDEX leaves_number ON leaves (number);

-- Nonces of accepted uploads until they expire, so that none is taken twice by any copy of the API.
CREATE TABLE upload_nonces (
    device_key text NOT NULL,
    nonce text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (device_key, nonce)
);
CREATE INDEX upload_nonces_expiry ON upload_nonces (expires_at);
