-- What session keys had last to pay fees with.
CREATE TABLE launcher.purse (
    launcher text PRIMARY KEY,
    lamports numeric(20) NOT NULL,
    warning text,                              -- null while that is enough
    seen_at timestamptz NOT NULL DEFAULT now()
);
