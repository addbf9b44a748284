-- The books of IOSD.
-- Derived from events; `ionet indexer rebuild` empties and refills it. Keys are base58, hashes hex, times unix seconds,
-- amounts base units of their mint. In a table of states `position` is that of the last event in the row.

CREATE TABLE iosd (
    iosd text PRIMARY KEY,
    position bigint NOT NULL,
    seq bigint NOT NULL,
    minted numeric(20) NOT NULL,
    io_burned numeric(20) NOT NULL,            -- to mint IOSD
    burned json NOT NULL,                      -- mint → burned for other reasons (fees, slashes)
    last_price numeric(20),                    -- null: the last event told only the other end
    last_publish_time bigint NOT NULL,
    last_high_price numeric(20),
    redeemed numeric(20) NOT NULL,
    io_redeemed numeric(20) NOT NULL           -- IO minted by redemptions
);

CREATE TABLE mints (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    wallet text NOT NULL,
    io_burned numeric(20) NOT NULL,
    iosd_minted numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO
    publish_time bigint NOT NULL
);
CREATE INDEX mints_wallet ON mints (wallet, position);

CREATE TABLE burns (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    mint text NOT NULL,
    amount numeric(20) NOT NULL,
    burned_after numeric(20) NOT NULL
);
CREATE INDEX burns_mint ON burns (mint, position);

CREATE TABLE redemptions (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    wallet text NOT NULL,
    iosd_burned numeric(20) NOT NULL,
    io_minted numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO, rounded up
    publish_time bigint NOT NULL,
    last_rate boolean NOT NULL                 -- no valid price for long: the last one was used
);
CREATE INDEX redemptions_wallet ON redemptions (wallet, position);

CREATE TABLE buybacks (
    position bigint PRIMARY KEY,
    at bigint NOT NULL,
    seller text NOT NULL,
    io_burned numeric(20) NOT NULL,
    usdc_paid numeric(20) NOT NULL,
    price numeric(20) NOT NULL,                -- micro-dollars per IO
    publish_time bigint NOT NULL
);
CREATE INDEX buybacks_seller ON buybacks (seller, position);

CREATE TABLE prices (
    position bigint PRIMARY KEY,
    kind text NOT NULL,                        -- what used it: mint, redeem, refresh, buyback
    at bigint NOT NULL,
    publish_time bigint NOT NULL,
    low_price numeric(20),                     -- micro-dollars per IO that comes in
    high_price numeric(20)                     -- micro-dollars per IO that goes out
);
CREATE INDEX prices_low ON prices (publish_time, position) WHERE low_price IS NOT NULL;
CREATE INDEX prices_high ON prices (publish_time, position) WHERE high_price IS NOT NULL;
CREATE INDEX prices_kind ON prices (kind, position);
