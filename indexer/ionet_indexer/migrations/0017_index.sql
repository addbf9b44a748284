-- The index of each device model: a median of settled prices, made when an event tells that a day is over.
-- Derived from events; `ionet indexer rebuild` empties and refills it.

CREATE TABLE index_values (
    position bigint NOT NULL,                  -- of the first event after the day
    day bigint NOT NULL,                       -- its first second, unix seconds
    model integer NOT NULL,
    value numeric(20),                         -- micro-dollars per processor-hour; null: fewer than ten owners
    median numeric(20),                        -- before it was bound to the value of the days before
    before numeric(20),
    before_day bigint,
    leases bigint NOT NULL,
    owners bigint NOT NULL,
    secs numeric(39) NOT NULL,                 -- processor-seconds settled in the window
    weight numeric(39) NOT NULL,               -- of them, what counts
    PRIMARY KEY (day, model)
);
CREATE INDEX index_values_model ON index_values (model, day);
CREATE INDEX index_values_position ON index_values (position);

CREATE TABLE index_leases (
    position bigint NOT NULL,
    day bigint NOT NULL,
    model integer NOT NULL,
    lease text NOT NULL,
    node text NOT NULL,
    owner text NOT NULL,
    currency text NOT NULL,
    locked_price numeric(20) NOT NULL,         -- currency units per processor-hour
    io_price numeric(20) NOT NULL,             -- micro-dollars per IO, when it was booked
    price numeric(20) NOT NULL,                -- micro-dollars per processor-hour
    secs numeric(39) NOT NULL,
    weight numeric(39) NOT NULL,
    PRIMARY KEY (day, model, lease)
);
CREATE INDEX index_leases_price ON index_leases (model, day, price, lease);
CREATE INDEX index_leases_position ON index_leases (position);
