-- What agents uploaded: the leaves under a root that the chain holds. Not derived from events, so `rebuild` keeps it.

CREATE TABLE leaf_sets (
    lease text NOT NULL,
    interval bigint NOT NULL,
    root text NOT NULL,                        -- hex
    leaves integer NOT NULL,
    uploaded_at bigint NOT NULL,               -- unix seconds
    PRIMARY KEY (lease, interval, root)
);

CREATE TABLE leaves (
    lease text NOT NULL,
    interval bigint NOT NULL,
    root text NOT NULL,
    index integer NOT NULL,
    task_id bytea NOT NULL,
    result_hash bytea NOT NULL,                -- sha256 of the result
    PRIMARY KEY (lease, interval, root, index),
    FOREIGN KEY (lease, interval, root) REFERENCES leaf_sets ON DELETE CASCADE
);
CREATE INDEX leaves_result ON leaves (result_hash);

-- Nonces of accepted uploads until they expire, so that none is taken twice by any copy of the API.
CREATE TABLE upload_nonces (
    device_key text NOT NULL,
    nonce text NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (device_key, nonce)
);
CREATE INDEX upload_nonces_expiry ON upload_nonces (expires_at);
