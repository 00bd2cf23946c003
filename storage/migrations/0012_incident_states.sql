-- What an incident's states need beside `state`: when it began to fire (a pending one has not), who said what about it, what
-- explains it, and what was expected. Rows from before have fired when they started.

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS opened_at Nullable(DateTime64(3, 'UTC')) DEFAULT started_at;

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS snoozed_until Nullable(DateTime64(3, 'UTC'));

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS causes String;

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS lower Float64 DEFAULT nan;

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS upper Float64 DEFAULT nan;

-- What a chat calls the message that it took, so that later ones about the incident go into its thread.
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS reference String;
