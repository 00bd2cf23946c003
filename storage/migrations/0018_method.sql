-- What changed, and the mixes of calls that a candidate is compared with.

-- The same window as the frozen baseline of that name, by block and stratum (route, method, size of the prompt), so that a gate
-- can make two mixes equal. Kept for good. `size`: prompts of 2^size to 2^(size+1)-1 tokens; -1: no prompt. The rows of the
-- newest seq of a name hold.
CREATE TABLE IF NOT EXISTS frozen_mixes
(
    name String,
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    selector String,
    transaction String,
    transaction_version String,
    block UInt32,
    blocks UInt32,
    service LowCardinality(String),
    method LowCardinality(String),
    route LowCardinality(String),
    size Int16,
    calls UInt64,
    known UInt64,
    errors UInt64,
    rate_limited UInt64,
    cost_usd Float64,
    priced UInt64,
    latency_ms Array(Float64) CODEC(ZSTD(3)),
    latency_calls Array(UInt64) CODEC(ZSTD(3)),
    ttft_ms Array(Float64) CODEC(ZSTD(3)),
    ttft_calls Array(UInt64) CODEC(ZSTD(3)),
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (name, seq, block)
SETTINGS non_replicated_deduplication_window = 10000;

-- What people said, or the calls showed, was changed: a deployment, a configuration, a model. Of several rows of one id the one
-- with the highest seq holds. Kept for good.
CREATE TABLE IF NOT EXISTS changes
(
    id String,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    what String,
    selector String,
    who String,
    found Bool,
    made_at DateTime64(3, 'UTC'),
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Before and after each change, by transaction (empty: all calls of the change's selection): one row each, written once.
CREATE TABLE IF NOT EXISTS change_verdicts
(
    change_id String,
    transaction String,
    selector String,
    judged_at DateTime64(3, 'UTC'),
    before_from DateTime64(3, 'UTC'),
    after_to DateTime64(3, 'UTC'),
    outcome LowCardinality(String),
    reasons Array(String),
    report String CODEC(ZSTD(3)),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (change_id, transaction)
SETTINGS non_replicated_deduplication_window = 10000;
