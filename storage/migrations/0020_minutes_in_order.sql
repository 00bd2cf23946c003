-- Rollups by minute in the order of time: what pages ask for a day of (all calls, calls by service, calls by provider and model) is
-- one contiguous run, while in the rollups of 0002_rollups.sql, which lie by their dimensions, a day is spread over the whole month.
-- Columns and meanings are those of 0002_rollups.sql.

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
    replicated_deduplication_window_seconds = 604800, min_bytes_for_wide_part = 67108864, max_parts_to_merge_at_once = 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS service_1m_mv TO service_1m AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.service AS service,
    c.origin AS origin,
    count() AS calls,
    countIf(is_error) AS errors,
    countIf(is_rate_limited) AS rate_limited,
    countIf(ifNull(cache_hit, false)) AS cache_hits,
    sum(toUInt64(ifNull(c.retries, 0))) AS retries,
    countIf(ifNull(fallback, false)) AS fallbacks,
    sum(ifNull(c.bytes_in, 0)) AS bytes_in,
    sum(ifNull(c.bytes_out, 0)) AS bytes_out,
    sum(toUInt64(ifNull(c.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt64(ifNull(c.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt64(ifNull(c.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt64(ifNull(c.cache_write_tokens, 0))) AS cache_write_tokens,
    sum(toUInt64(ifNull(c.reasoning_tokens, 0))) AS reasoning_tokens,
    countIf(c.cost_usd IS NULL) AS unpriced,
    countIf(c.status IS NOT NULL OR c.error_type != '') AS status_known,
    countIf(c.latency_ms IS NOT NULL) AS latency_known,
    countIf(c.upstream_ms IS NOT NULL) AS upstream_known,
    countIf(c.ttft_ms IS NOT NULL) AS ttft_known,
    countIf(c.prompt_tokens IS NOT NULL OR c.completion_tokens IS NOT NULL) AS tokens_known,
    countIf(c.cache_hit IS NOT NULL) AS cache_known,
    countIf(c.retries IS NOT NULL) AS retries_known,
    countIf(c.fallback IS NOT NULL) AS fallback_known,
    sum(ifNull(c.cost_usd, 0.)) AS cost_usd,
    sum(toFloat64(ifNull(c.latency_ms, 0))) AS latency_ms_sum,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.latency_ms), c.latency_ms IS NOT NULL) AS latency_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.upstream_ms), c.upstream_ms IS NOT NULL) AS upstream_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(
        toFloat32(greatest(assumeNotNull(c.latency_ms) - assumeNotNull(c.upstream_ms), 0)),
        c.latency_ms IS NOT NULL AND c.upstream_ms IS NOT NULL) AS overhead_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.ttft_ms), c.ttft_ms IS NOT NULL) AS ttft_q
FROM calls AS c
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
    replicated_deduplication_window_seconds = 604800, min_bytes_for_wide_part = 67108864, max_parts_to_merge_at_once = 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS provider_1m_mv TO provider_1m AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.provider AS provider, c.model AS model,
    c.origin AS origin,
    count() AS calls,
    countIf(is_error) AS errors,
    countIf(is_rate_limited) AS rate_limited,
    countIf(ifNull(cache_hit, false)) AS cache_hits,
    sum(toUInt64(ifNull(c.retries, 0))) AS retries,
    countIf(ifNull(fallback, false)) AS fallbacks,
    sum(ifNull(c.bytes_in, 0)) AS bytes_in,
    sum(ifNull(c.bytes_out, 0)) AS bytes_out,
    sum(toUInt64(ifNull(c.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt64(ifNull(c.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt64(ifNull(c.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt64(ifNull(c.cache_write_tokens, 0))) AS cache_write_tokens,
    sum(toUInt64(ifNull(c.reasoning_tokens, 0))) AS reasoning_tokens,
    countIf(c.cost_usd IS NULL) AS unpriced,
    countIf(c.status IS NOT NULL OR c.error_type != '') AS status_known,
    countIf(c.latency_ms IS NOT NULL) AS latency_known,
    countIf(c.upstream_ms IS NOT NULL) AS upstream_known,
    countIf(c.ttft_ms IS NOT NULL) AS ttft_known,
    countIf(c.prompt_tokens IS NOT NULL OR c.completion_tokens IS NOT NULL) AS tokens_known,
    countIf(c.cache_hit IS NOT NULL) AS cache_known,
    countIf(c.retries IS NOT NULL) AS retries_known,
    countIf(c.fallback IS NOT NULL) AS fallback_known,
    sum(ifNull(c.cost_usd, 0.)) AS cost_usd,
    sum(toFloat64(ifNull(c.latency_ms, 0))) AS latency_ms_sum,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.latency_ms), c.latency_ms IS NOT NULL) AS latency_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.upstream_ms), c.upstream_ms IS NOT NULL) AS upstream_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(
        toFloat32(greatest(assumeNotNull(c.latency_ms) - assumeNotNull(c.upstream_ms), 0)),
        c.latency_ms IS NOT NULL AND c.upstream_ms IS NOT NULL) AS overhead_q,
    quantilesBFloat16StateIf(0.5, 0.9, 0.95, 0.99)(assumeNotNull(c.ttft_ms), c.ttft_ms IS NOT NULL) AS ttft_q
FROM calls AS c
GROUP BY minute, provider, model, origin;

-- Since when each of them counts every call: from the beginning in a store without calls, else from the first midnight (UTC) that
-- no call can have been counted before. Of several rows the latest moment holds.
CREATE TABLE IF NOT EXISTS counted_since (name LowCardinality(String), since DateTime('UTC'))
ENGINE = MergeTree ORDER BY name;

INSERT INTO counted_since SELECT arrayJoin(['service_1m', 'provider_1m']) AS name,
    if((SELECT count() FROM route_1m) = 0, toDateTime(0, 'UTC'), toStartOfDay(now('UTC') + INTERVAL 25 HOUR)) AS since;
