-- Logins that were sent to devices and refused, that are being tried, or that a process keeps a place for. `state`: 0 tried
-- and not answered yet, 1 works, 2 refused. `holder` is the row of `opens` of the process that wrote it. What follows is by
-- what the device can be told from others.
CREATE TABLE login_places (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    holder INTEGER,
    address TEXT NOT NULL,
    link_mac TEXT,
    stated_mac TEXT,
    endpoint TEXT,
    serial TEXT
) STRICT;

-- What was refused so far, by device.
INSERT INTO login_places (at, state, address, stated_mac)
SELECT CAST(strftime('%s', refused.value) AS INTEGER) * 1000, 2, devices.ip, devices.mac
FROM logins JOIN devices ON devices.id = logins.device, json_each(logins.refused_at) AS refused
WHERE json_valid(logins.refused_at) AND strftime('%s', refused.value) IS NOT NULL;

UPDATE logins SET refused_at = '[]';
