-- What launchers say of themselves, as their API shows it: it has no key, so it cannot sign.
CREATE TABLE launcher.advert (
    launcher text PRIMARY KEY,
    body text NOT NULL,                        -- JSON, the very bytes that are signed
    signature text NOT NULL                    -- hex
);
