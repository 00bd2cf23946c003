-- Append-only states of recommendations: of several rows of one id the one with the highest seq holds. Jobs and people both write, so
-- that there is no epoch: a job only writes what nobody has decided, or the outcome of what somebody has. Kept for good: a
-- dismissed one is not made again.
CREATE TABLE IF NOT EXISTS recommendations
(
    id String,
    rule LowCardinality(String),
    selector String,
    state LowCardinality(String),
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    found_at DateTime64(3, 'UTC'),
    who String,
    why String,
    decided_at Nullable(DateTime64(3, 'UTC')),
    finding String,
    outcome String,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, seq)
SETTINGS non_replicated_deduplication_window = 10000;
