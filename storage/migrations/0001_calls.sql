-- One row a call, with the record's identity (topic, partition, offset).
--
-- PARTITION BY day: retention drops whole days, and a page over a few days opens only those parts.
-- ORDER BY hour first: pages and explanations read a window of time and group by anything; inside the hour, service and route
-- keep like rows together (compression, and filters by service skip granules).
-- The deduplication window lets a batch be written again under the same token without a second copy.
-- min_bytes_for_wide_part: the part of one batch is one file instead of a hundred; merges make the wide ones that pages read.
CREATE TABLE IF NOT EXISTS calls
(
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    gateway LowCardinality(String),
    region LowCardinality(String),
    tenant LowCardinality(String),
    service LowCardinality(String),
    route LowCardinality(String),
    method LowCardinality(String),
    kind LowCardinality(String),
    provider LowCardinality(String),
    account LowCardinality(String),
    upstream LowCardinality(String),
    requested_model LowCardinality(String),
    model LowCardinality(String),
    error_type LowCardinality(String),
    status Nullable(UInt16),
    latency_ms Nullable(Float32) CODEC(ZSTD(1)),
    upstream_ms Nullable(Float32) CODEC(ZSTD(1)),
    first_byte_ms Nullable(Float32) CODEC(ZSTD(1)),
    ttft_ms Nullable(Float32) CODEC(ZSTD(1)),
    bytes_in Nullable(UInt64) CODEC(ZSTD(1)),
    bytes_out Nullable(UInt64) CODEC(ZSTD(1)),
    prompt_tokens Nullable(UInt32) CODEC(ZSTD(1)),
    completion_tokens Nullable(UInt32) CODEC(ZSTD(1)),
    cached_tokens Nullable(UInt32) CODEC(ZSTD(1)),
    cache_write_tokens Nullable(UInt32) CODEC(ZSTD(1)),
    reasoning_tokens Nullable(UInt32) CODEC(ZSTD(1)),
    cost_usd Nullable(Float64) CODEC(ZSTD(1)),
    cache_hit Nullable(Bool),
    stream Nullable(Bool),
    fallback Nullable(Bool),
    retries Nullable(UInt8),
    prompt_hash UInt64 CODEC(ZSTD(1)),
    attributes Map(String, String) CODEC(ZSTD(1)),
    ingested_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    topic LowCardinality(String),
    partition Int32 CODEC(ZSTD(1)),
    offset Int64 CODEC(DoubleDelta, ZSTD(1)),
    -- Where the row came from, derived so that no writer can forget it: retention spares what was imported.
    origin LowCardinality(String) MATERIALIZED multiIf(
        startsWith(topic, 'import:'), 'import', startsWith(topic, 'generated:'), 'generated', 'live'),
    INDEX request_id_bloom request_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(ts)
ORDER BY (toStartOfHour(ts), service, route, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864;

-- Records that could not be read, with their coordinates, reason and bytes.
CREATE TABLE IF NOT EXISTS dead_letters
(
    received_at DateTime64(3, 'UTC'),
    topic LowCardinality(String),
    partition Int32,
    offset Int64,
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    payload String CODEC(ZSTD(3)),
    size_bytes UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (reason, received_at)
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Ranges of offsets that were written: what an import or a consumer need not write again.
CREATE TABLE IF NOT EXISTS ingest_ranges
(
    topic String,
    partition Int32,
    first_offset Int64,
    last_offset Int64,
    state LowCardinality(String),
    rows UInt64,
    at DateTime64(3, 'UTC'),
    seq UInt64
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (topic, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far the calls of a partition have arrived. Append-only; read the latest by seq.
CREATE TABLE IF NOT EXISTS watermarks
(
    topic String,
    partition Int32,
    event_at DateTime64(3, 'UTC'),
    arrived_at DateTime64(3, 'UTC'),
    next_offset Int64,
    delay_s Float64,
    seq UInt64
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (topic, partition)
SETTINGS non_replicated_deduplication_window = 10000;
