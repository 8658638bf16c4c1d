-- The last picture of each stream, by the stream's public id. `hash` names its file in the folder beside the store.
CREATE TABLE pictures (
    stream TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pictures_at ON pictures (at);
CREATE INDEX pictures_hash ON pictures (hash);
