-- What showed the device of a login to be itself when it was given (JSON); NULL where the login is for no single device, and
-- where an earlier version kept it.
ALTER TABLE device_logins ADD COLUMN anchor TEXT;
