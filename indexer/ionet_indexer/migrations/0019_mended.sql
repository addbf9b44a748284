-- Whether what was final was changed: an event came in that no node had listed before its slot became final.
ALTER TABLE undos ADD COLUMN final boolean NOT NULL DEFAULT false;
