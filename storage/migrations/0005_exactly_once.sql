-- A topic that was deleted and made again starts at offset 0 under its old name: its id tells them apart, so that records that come
-- again are left out and new ones are not.
ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS topic_id String DEFAULT '';

-- How the last batch went, for `tpscope status`.
ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS lag Int64 DEFAULT 0;

ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS records Int64 DEFAULT 0;

ALTER TABLE watermarks ADD COLUMN IF NOT EXISTS attempts Int64 DEFAULT 1;

-- On a cluster the tables of this schema are made with replicated engines, which count by windows of their own, and forget by age
-- as well: a batch that was half written before a weekend is still the same batch after it.
ALTER TABLE calls MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE route_1m MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE model_1m MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE tenant_1m MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE calls_1s MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE samples MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

ALTER TABLE dead_letters MODIFY SETTING replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;
