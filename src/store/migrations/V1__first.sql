-- Times are milliseconds since 1970-01-01 UTC. A `body` is JSON, deflated where the column is a BLOB.

-- What there is once: `login_key`, and `memory` (all that is remembered and belongs to no single device).
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Each time a program wrote here. One that never closed was killed, or the machine lost power.
CREATE TABLE opens (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    closed_at INTEGER,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL
) STRICT;

-- Documents, each once: a device as a scan found it, or what a scan was.
CREATE TABLE docs (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE scans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cause TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    addresses INTEGER NOT NULL,
    hosts_up INTEGER NOT NULL,
    found INTEGER NOT NULL,
    info INTEGER NOT NULL REFERENCES docs (id)
) STRICT;
CREATE INDEX scans_ended ON scans (ended_at);
CREATE INDEX scans_info ON scans (info);

CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    public TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    vendor TEXT,
    model TEXT,
    firmware TEXT,
    serial TEXT,
    hostname TEXT,
    ip TEXT NOT NULL,
    mac TEXT,
    state TEXT NOT NULL,
    state_since INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    archived_at INTEGER,
    merged_into TEXT,
    rev INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- What devices are recognised by, many for one device.
CREATE TABLE device_keys (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (id),
    body TEXT NOT NULL,
    PRIMARY KEY (kind, value, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_keys_device ON device_keys (device);

-- Where a device was when.
CREATE TABLE addresses (
    device INTEGER NOT NULL REFERENCES devices (id),
    began INTEGER NOT NULL,
    ip TEXT NOT NULL,
    ended INTEGER,
    PRIMARY KEY (device, began, ip)
) STRICT, WITHOUT ROWID;

-- Scan S found the device as in `doc` if first_scan <= S <= last_scan. `part` counts the entries of one device in a scan.
CREATE TABLE presence (
    device INTEGER NOT NULL REFERENCES devices (id),
    first_scan INTEGER NOT NULL REFERENCES scans (id),
    part INTEGER NOT NULL,
    last_scan INTEGER NOT NULL,
    doc INTEGER NOT NULL REFERENCES docs (id),
    PRIMARY KEY (device, first_scan, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_last ON presence (last_scan, first_scan);
CREATE INDEX presence_first ON presence (first_scan);
CREATE INDEX presence_doc ON presence (doc);

CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices (id),
    key TEXT NOT NULL,
    url TEXT NOT NULL,
    protocol TEXT NOT NULL,
    channel INTEGER,
    state TEXT NOT NULL,
    state_since INTEGER NOT NULL,
    last_ok INTEGER,
    gone_at INTEGER,
    body BLOB NOT NULL,
    UNIQUE (device, key)
) STRICT;

-- How long a device, or one of its streams, was in which state. The last one has not ended.
CREATE TABLE spans (
    id INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices (id),
    stream INTEGER REFERENCES streams (id),
    began INTEGER NOT NULL,
    ended INTEGER,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX spans_device ON spans (device, stream, began);
CREATE INDEX spans_ended ON spans (ended);

-- Checks of a stream, added up by the hour and by the day. Frame rates in hundredths.
CREATE TABLE rollups (
    stream INTEGER NOT NULL REFERENCES streams (id),
    seconds INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    n INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    busy INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    fps_min INTEGER,
    fps_sum INTEGER NOT NULL,
    kbps_max INTEGER,
    kbps_sum INTEGER NOT NULL,
    first_ms_max INTEGER,
    first_ms_sum INTEGER NOT NULL,
    PRIMARY KEY (stream, seconds, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    severity TEXT NOT NULL,
    device INTEGER REFERENCES devices (id),
    stream TEXT,
    network TEXT,
    scan INTEGER,
    muted_by TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_device ON events (device, at);

-- What users wrote about devices; a scan never changes it.
CREATE TABLE notes (
    device INTEGER PRIMARY KEY REFERENCES devices (id),
    name TEXT,
    site TEXT,
    rev INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    grouped_by TEXT NOT NULL,
    events TEXT NOT NULL,
    body TEXT,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    state TEXT NOT NULL,
    error TEXT
) STRICT;
CREATE INDEX outbox_state ON outbox (state, channel, due_at);
CREATE INDEX outbox_created ON outbox (created_at);

-- What became of logins. `login` is a keyed hash of user and password, never the login itself.
CREATE TABLE logins (
    device INTEGER NOT NULL REFERENCES devices (id),
    login BLOB NOT NULL,
    worked_at INTEGER,
    refused_at TEXT NOT NULL,
    PRIMARY KEY (device, login)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
