-- The launcher's own memory. What should run is in lease_work (the indexer's) and on the chain; this is what
-- this launcher has done about it. Several launchers, also with different keys, may share one database.
CREATE TABLE launcher.cluster (
    launcher text NOT NULL,                    -- session key it acts with
    cluster text NOT NULL,
    phase text NOT NULL DEFAULT 'planned' CHECK (
        phase IN ('planned', 'starting', 'joining', 'ready', 'running', 'draining', 'stopped', 'failed')
    ),
    reason text NOT NULL DEFAULT '',           -- reason code of a wait or a failure
    detail text NOT NULL DEFAULT '',
    seen_slot bigint NOT NULL,                 -- newest change of its leases that was looked at
    booked_slot bigint NOT NULL,               -- newest booking that was looked at
    planned_at timestamptz NOT NULL DEFAULT now(),
    entered_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,                    -- when the start was decided
    joined_at timestamptz,                     -- when all members were up and seen by a driver
    running_at timestamptz,                    -- when every meter ran
    trouble_since timestamptz,                 -- since when each look found a trouble, null while there is none
    next_at timestamptz NOT NULL DEFAULT now(),
    claimed_by text,                           -- process that does a step, and until when others leave it alone
    claimed_until timestamptz,
    live integer NOT NULL DEFAULT 0,           -- leases that had to be up when it was last looked at
    PRIMARY KEY (launcher, cluster)
);
CREATE INDEX cluster_due ON launcher.cluster (launcher, next_at) WHERE phase NOT IN ('stopped', 'failed');

-- A member that was asked to start, until it is known to have stopped.
CREATE TABLE launcher.member (
    launcher text NOT NULL,
    cluster text NOT NULL,
    lease text NOT NULL,
    node text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (launcher, lease),
    FOREIGN KEY (launcher, cluster) REFERENCES launcher.cluster
);
CREATE INDEX member_cluster ON launcher.member (launcher, cluster);

-- A lease whose node gave trouble when it was last looked at, and since when without a break.
CREATE TABLE launcher.trouble (
    launcher text NOT NULL,
    cluster text NOT NULL,
    lease text NOT NULL,
    node text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (launcher, lease),
    FOREIGN KEY (launcher, cluster) REFERENCES launcher.cluster
);
CREATE INDEX trouble_cluster ON launcher.trouble (launcher, cluster);

-- A node that was booked, or is about to be, in the place of a lost one. Noted before it is, so that it is booked once.
CREATE TABLE launcher.replacement (
    launcher text NOT NULL,
    cluster text NOT NULL,
    lost text NOT NULL,                        -- the lease given up
    lost_node text NOT NULL,
    price bigint NOT NULL,                     -- what was paid for it
    duration bigint NOT NULL,
    until bigint,                              -- when it would have ended; null: it had not begun
    node text NOT NULL,                        -- that takes its place
    lease text NOT NULL,                       -- what its next lease is called
    arrived boolean NOT NULL DEFAULT false,    -- that lease has been seen on the chain
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (launcher, lost),
    FOREIGN KEY (launcher, cluster) REFERENCES launcher.cluster
);
CREATE INDEX replacement_cluster ON launcher.replacement (launcher, cluster);
