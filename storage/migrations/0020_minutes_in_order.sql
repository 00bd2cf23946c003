-- Rollups by minute in the order of time: what pages ask for a day of (all calls, calls by service, calls by provider and model) is
-- one contiguous run, while in the rollups of 0002_rollups.sql, which lie by their dimensions, a day is spread over the whole month.
-- Columns and meanings are those of 0002_rollups.sql.
--
-- Few rows with many calls each: 16 KiB of percentile states a row in memory, of which a merge holds a granule of each of its parts. With
-- granules of 8,192 rows that was up to 2 GB; with 512 it is a sixteenth.
--
-- They are made of the rows that are written to model_1m, not of the calls: a batch of dense traffic is a few hundred of them. Who
-- counts steps of model_1m anew (`storage/recount.py`) must count these anew after it.

CREATE TABLE IF NOT EXISTS service_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    service LowCardinality(String),
    origin LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    rate_limited SimpleAggregateFunction(sum, UInt64),
    cache_hits SimpleAggregateFunction(sum, UInt64),
    retries SimpleAggregateFunction(sum, UInt64),
    fallbacks SimpleAggregateFunction(sum, UInt64),
    bytes_in SimpleAggregateFunction(sum, UInt64),
    bytes_out SimpleAggregateFunction(sum, UInt64),
    prompt_tokens SimpleAggregateFunction(sum, UInt64),
    completion_tokens SimpleAggregateFunction(sum, UInt64),
    cached_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    unpriced SimpleAggregateFunction(sum, UInt64),
    status_known SimpleAggregateFunction(sum, UInt64),
    latency_known SimpleAggregateFunction(sum, UInt64),
    upstream_known SimpleAggregateFunction(sum, UInt64),
    ttft_known SimpleAggregateFunction(sum, UInt64),
    tokens_known SimpleAggregateFunction(sum, UInt64),
    cache_known SimpleAggregateFunction(sum, UInt64),
    retries_known SimpleAggregateFunction(sum, UInt64),
    fallback_known SimpleAggregateFunction(sum, UInt64),
    cost_usd SimpleAggregateFunction(sum, Float64),
    latency_ms_sum SimpleAggregateFunction(sum, Float64),
    latency_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    upstream_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    overhead_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    ttft_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, service, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_bytes_for_wide_part = 67108864, max_parts_to_merge_at_once = 10,
    index_granularity = 512, merge_max_block_size = 512;

CREATE MATERIALIZED VIEW IF NOT EXISTS service_1m_mv TO service_1m AS
SELECT
    m.minute AS minute, m.service AS service, m.origin AS origin,
    sum(m.calls) AS calls,
    sum(m.errors) AS errors,
    sum(m.rate_limited) AS rate_limited,
    sum(m.cache_hits) AS cache_hits,
    sum(m.retries) AS retries,
    sum(m.fallbacks) AS fallbacks,
    sum(m.bytes_in) AS bytes_in,
    sum(m.bytes_out) AS bytes_out,
    sum(m.prompt_tokens) AS prompt_tokens,
    sum(m.completion_tokens) AS completion_tokens,
    sum(m.cached_tokens) AS cached_tokens,
    sum(m.cache_write_tokens) AS cache_write_tokens,
    sum(m.reasoning_tokens) AS reasoning_tokens,
    sum(m.unpriced) AS unpriced,
    sum(m.status_known) AS status_known,
    sum(m.latency_known) AS latency_known,
    sum(m.upstream_known) AS upstream_known,
    sum(m.ttft_known) AS ttft_known,
    sum(m.tokens_known) AS tokens_known,
    sum(m.cache_known) AS cache_known,
    sum(m.retries_known) AS retries_known,
    sum(m.fallback_known) AS fallback_known,
    sum(m.cost_usd) AS cost_usd,
    sum(m.latency_ms_sum) AS latency_ms_sum,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.latency_q) AS latency_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.upstream_q) AS upstream_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.overhead_q) AS overhead_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.ttft_q) AS ttft_q
FROM model_1m AS m
GROUP BY minute, service, origin;

CREATE TABLE IF NOT EXISTS provider_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    provider LowCardinality(String),
    model LowCardinality(String),
    origin LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    rate_limited SimpleAggregateFunction(sum, UInt64),
    cache_hits SimpleAggregateFunction(sum, UInt64),
    retries SimpleAggregateFunction(sum, UInt64),
    fallbacks SimpleAggregateFunction(sum, UInt64),
    bytes_in SimpleAggregateFunction(sum, UInt64),
    bytes_out SimpleAggregateFunction(sum, UInt64),
    prompt_tokens SimpleAggregateFunction(sum, UInt64),
    completion_tokens SimpleAggregateFunction(sum, UInt64),
    cached_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    unpriced SimpleAggregateFunction(sum, UInt64),
    status_known SimpleAggregateFunction(sum, UInt64),
    latency_known SimpleAggregateFunction(sum, UInt64),
    upstream_known SimpleAggregateFunction(sum, UInt64),
    ttft_known SimpleAggregateFunction(sum, UInt64),
    tokens_known SimpleAggregateFunction(sum, UInt64),
    cache_known SimpleAggregateFunction(sum, UInt64),
    retries_known SimpleAggregateFunction(sum, UInt64),
    fallback_known SimpleAggregateFunction(sum, UInt64),
    cost_usd SimpleAggregateFunction(sum, Float64),
    latency_ms_sum SimpleAggregateFunction(sum, Float64),
    latency_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    upstream_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    overhead_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32),
    ttft_q AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.95, 0.99), Float32)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, provider, model, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_bytes_for_wide_part = 67108864, max_parts_to_merge_at_once = 10,
    index_granularity = 512, merge_max_block_size = 512;

CREATE MATERIALIZED VIEW IF NOT EXISTS provider_1m_mv TO provider_1m AS
SELECT
    m.minute AS minute, m.provider AS provider, m.model AS model, m.origin AS origin,
    sum(m.calls) AS calls,
    sum(m.errors) AS errors,
    sum(m.rate_limited) AS rate_limited,
    sum(m.cache_hits) AS cache_hits,
    sum(m.retries) AS retries,
    sum(m.fallbacks) AS fallbacks,
    sum(m.bytes_in) AS bytes_in,
    sum(m.bytes_out) AS bytes_out,
    sum(m.prompt_tokens) AS prompt_tokens,
    sum(m.completion_tokens) AS completion_tokens,
    sum(m.cached_tokens) AS cached_tokens,
    sum(m.cache_write_tokens) AS cache_write_tokens,
    sum(m.reasoning_tokens) AS reasoning_tokens,
    sum(m.unpriced) AS unpriced,
    sum(m.status_known) AS status_known,
    sum(m.latency_known) AS latency_known,
    sum(m.upstream_known) AS upstream_known,
    sum(m.ttft_known) AS ttft_known,
    sum(m.tokens_known) AS tokens_known,
    sum(m.cache_known) AS cache_known,
    sum(m.retries_known) AS retries_known,
    sum(m.fallback_known) AS fallback_known,
    sum(m.cost_usd) AS cost_usd,
    sum(m.latency_ms_sum) AS latency_ms_sum,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.latency_q) AS latency_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.upstream_q) AS upstream_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.overhead_q) AS overhead_q,
    quantilesBFloat16MergeState(0.5, 0.9, 0.95, 0.99)(m.ttft_q) AS ttft_q
FROM model_1m AS m
GROUP BY minute, provider, model, origin;

-- Since when each of them counts every call: from the beginning in a store without calls, else from the first midnight (UTC) that
-- no call can have been counted before. Of several rows the latest moment holds.
CREATE TABLE IF NOT EXISTS counted_since (name LowCardinality(String), since DateTime('UTC'))
ENGINE = MergeTree ORDER BY name;

INSERT INTO counted_since SELECT arrayJoin(['service_1m', 'provider_1m']) AS name,
    if((SELECT count() FROM route_1m) = 0, toDateTime(0, 'UTC'), toStartOfDay(now('UTC') + INTERVAL 25 HOUR)) AS since;
