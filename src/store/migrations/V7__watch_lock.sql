-- The process that watches holds the lock of a file beside the store. An earlier program would ask this table instead, and
-- watch at the same time: it finds a later store than its own, and is refused.
DROP TABLE leases;
