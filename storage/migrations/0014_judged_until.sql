-- How far the evaluation that wrote a state had judged: written with what it decided, so that after a crash between that and the
-- job's own state the same minutes are not judged again from a later state.

ALTER TABLE incidents ADD COLUMN IF NOT EXISTS judged_until Nullable(DateTime64(3, 'UTC'));
