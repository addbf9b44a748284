-- How many leases had to be up when the cluster was last looked at: a decision is about so many.
ALTER TABLE launcher.cluster ADD COLUMN live integer NOT NULL DEFAULT 0;
