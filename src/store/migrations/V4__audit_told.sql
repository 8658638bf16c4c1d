-- What a change was, as data (JSON); NULL where it was written down as text alone, as earlier versions did.
ALTER TABLE audit ADD COLUMN told TEXT;
