-- A topic that was deleted and made again starts at offset 0 under its old name: its id tells them apart, so that records that come
-- again are left out and new ones are not.
ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS topic_id String DEFAULT '';

-- How the last batch went, for `tpscope status`.
ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS lag Int64 DEFAULT 0;

ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS records Int64 DEFAULT 0;

ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS attempts Int64 DEFAULT 1;
