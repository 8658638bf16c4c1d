-- Of a login that got no answer: by what it is recognised when it is taken later (the protocol it was sent over, and what the
-- login is stored as). It was no refusal then.
ALTER TABLE login_places ADD COLUMN unanswered TEXT;
