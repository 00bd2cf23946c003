-- A topic that was deleted and made again starts at offset 0 under its old name: its id tells them apart, so that records that come
-- again are left out and new ones are not.
ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS topic_id String DEFAULT '';
