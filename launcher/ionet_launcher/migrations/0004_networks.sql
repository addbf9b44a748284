-- How each node can be joined to the network of its cluster (JSON), as its agent said last: one that is silent for a
-- moment stays known to the others.
CREATE TABLE launcher.network (
    launcher text NOT NULL,
    cluster text NOT NULL,
    lease text NOT NULL,
    offer text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),  -- that it says this
    PRIMARY KEY (launcher, lease),
    FOREIGN KEY (launcher, cluster) REFERENCES launcher.cluster ON DELETE CASCADE
);
CREATE INDEX network_cluster ON launcher.network (launcher, cluster);

ALTER TABLE launcher.cluster ADD COLUMN head text;  -- the lease that is to be the head, where connections decided it
