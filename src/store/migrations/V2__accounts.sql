-- Who may use `camscan serve`. Passwords stand here as Argon2id, what else is secret as SHA-256.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    password_at INTEGER NOT NULL,
    login_at INTEGER
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user);

-- `public` is the part of a token that may be seen: cs_PUBLIC_SECRET. Scopes and networks are JSON.
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    networks TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    enabled INTEGER NOT NULL,
    used_at INTEGER,
    used_from TEXT
) STRICT;
CREATE INDEX tokens_user ON tokens (user);

-- Who changed what. The name stays when the account is gone.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- Answers to requests that may be sent twice (Idempotency-Key), by whoever sent them.
CREATE TABLE replies (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT;
CREATE INDEX replies_at ON replies (at);

-- Logins of devices that were given on the page. `sealed` is the password under a key that is not in this file.
CREATE TABLE device_logins (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    sealed BLOB NOT NULL,
    device TEXT,
    network TEXT,
    vendor TEXT,
    mac TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT;
