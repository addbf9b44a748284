-- What became of clusters, to be read when it is over: the last moves of each, a bounded number.
CREATE TABLE launcher.move (
    number bigint GENERATED ALWAYS AS IDENTITY,
    launcher text NOT NULL,
    cluster text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    phase text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (launcher, cluster, number),
    FOREIGN KEY (launcher, cluster) REFERENCES launcher.cluster ON DELETE CASCADE
);

-- Here and not in each statement: whatever changes a phase or a reason, it is noted with it.
CREATE FUNCTION launcher.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (NEW.phase, NEW.reason) IS DISTINCT FROM (OLD.phase, OLD.reason) THEN
        INSERT INTO launcher.move (launcher, cluster, phase, reason, detail)
        VALUES (NEW.launcher, NEW.cluster, NEW.phase, NEW.reason, NEW.detail);
        DELETE FROM launcher.move WHERE launcher = NEW.launcher AND cluster = NEW.cluster AND number <= (
            SELECT number FROM launcher.move WHERE launcher = NEW.launcher AND cluster = NEW.cluster
            ORDER BY number DESC OFFSET 256 LIMIT 1
        );
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OF phase, reason ON launcher.cluster
    FOR EACH ROW EXECUTE FUNCTION launcher.note_move();

ALTER TABLE launcher.member ADD COLUMN phase text;    -- of the member, as its agent said last
ALTER TABLE launcher.member ADD COLUMN problem text;  -- why it did not pass its last check
