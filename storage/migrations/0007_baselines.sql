-- What people say of spans of time, which selections are still learning, and frozen baselines with what they are compared by.

-- Append-only events of masks: of several rows of one id the one with the highest seq holds. Written by people, not by jobs, so
-- that there is no epoch. Kept for good: an anomaly names the mask that muted it.
CREATE TABLE IF NOT EXISTS masks
(
    id String,
    kind LowCardinality(String),
    starts_at DateTime64(3, 'UTC'),
    ends_at Nullable(DateTime64(3, 'UTC')),
    selector String,
    who String,
    why String,
    made_at DateTime64(3, 'UTC'),
    anomaly_id String,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, seq)
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE anomalies ADD COLUMN IF NOT EXISTS mask_id String;
ALTER TABLE anomalies ADD COLUMN IF NOT EXISTS muted Bool;

-- Selections with less history than baselines need, as the last building of baselines (highest epoch, seq) found them.
CREATE TABLE IF NOT EXISTS learning
(
    at DateTime64(3, 'UTC'),
    selector String,
    have_h Float64,
    need_h Float64,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (epoch, seq, selector)
TTL toDateTime(intDiv(seq, 1000000000)) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- A frozen baseline: a window of calls under a name, counted in blocks of equal length, so that a comparison knows how much the
-- blocks differ among themselves. It outlives the calls. `latency_ms` and `latency_calls` are the distribution of the block's
-- latencies, values cut to ten significant bits. The newest row (seq) of a name and block holds.
CREATE TABLE IF NOT EXISTS frozen_baselines
(
    name String,
    made_at DateTime64(3, 'UTC'),
    who String,
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    selector String,
    transaction String,
    transaction_version String,
    block UInt32,
    blocks UInt32,
    calls UInt64,
    known UInt64,
    errors UInt64,
    rate_limited UInt64,
    tokens UInt64,
    tokens_known UInt64,
    cost_usd Float64,
    priced UInt64,
    latency_ms Array(Float64),
    latency_calls Array(UInt64),
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (name, seq, block)
SETTINGS non_replicated_deduplication_window = 10000;
