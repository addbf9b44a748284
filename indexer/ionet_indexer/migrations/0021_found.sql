-- More that a search finds: what a cluster was opened with, who reported. Tables that grow slowly.
CREATE INDEX clusters_config ON clusters (config_hash);
CREATE INDEX slashes_reporter ON slashes (reporter, position);
