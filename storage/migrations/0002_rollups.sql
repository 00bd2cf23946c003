-- Rollups by minute: small ones by use, not one of all dimensions. A page asks by route, by model or by tenant; a question over
-- pairs of their dimensions is answered from `calls` over a short window.
--
-- Counters sum; unknown values are skipped, and the *_known columns say how many were known. Percentiles come from mergeable
-- quantilesBFloat16 states: counts of values cut to 8 significant bits, so a percentile is at most 0.8 % too low, whatever the
-- distribution, and merging does not depend on the order of the batches. 429 and `rate_limit` are counted apart from errors.
-- `status_known` counts the calls whose outcome is known: by their status, or by an error type where no status came back.
-- `origin` keeps imported history apart, because retention spares it.
--
-- ORDER BY the dimensions of the use, then the minute: a series is one contiguous run.

CREATE TABLE IF NOT EXISTS route_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String),
    service LowCardinality(String),
    route LowCardinality(String),
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
ORDER BY (gateway, service, route, minute, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864;

CREATE MATERIALIZED VIEW IF NOT EXISTS route_1m_mv TO route_1m AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.gateway AS gateway, c.service AS service, c.route AS route,
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
GROUP BY minute, gateway, service, route, origin;

CREATE TABLE IF NOT EXISTS model_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    provider LowCardinality(String),
    account LowCardinality(String),
    model LowCardinality(String),
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
ORDER BY (provider, account, model, service, minute, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864;

CREATE MATERIALIZED VIEW IF NOT EXISTS model_1m_mv TO model_1m AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.provider AS provider, c.account AS account, c.model AS model, c.service AS service,
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
GROUP BY minute, provider, account, model, service, origin;

CREATE TABLE IF NOT EXISTS tenant_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    tenant LowCardinality(String),
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
ORDER BY (tenant, service, minute, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864;

CREATE MATERIALIZED VIEW IF NOT EXISTS tenant_1m_mv TO tenant_1m AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.tenant AS tenant, c.service AS service,
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
GROUP BY minute, tenant, service, origin;

-- By second, for peaks and for fast threshold rules.
CREATE TABLE IF NOT EXISTS calls_1s
(
    second DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    gateway LowCardinality(String),
    service LowCardinality(String),
    route LowCardinality(String),
    origin LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    rate_limited SimpleAggregateFunction(sum, UInt64),
    status_known SimpleAggregateFunction(sum, UInt64),
    latency_known SimpleAggregateFunction(sum, UInt64),
    latency_ms_sum SimpleAggregateFunction(sum, Float64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(second)
ORDER BY (second, gateway, service, route, origin)
TTL second + INTERVAL 7 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 67108864;

CREATE MATERIALIZED VIEW IF NOT EXISTS calls_1s_mv TO calls_1s AS
WITH
    ifNull(c.status, 0) = 429 OR c.error_type = 'rate_limit' AS is_rate_limited,
    NOT is_rate_limited AND (ifNull(c.status, 0) >= 500 OR c.error_type != '') AS is_error
SELECT
    toStartOfSecond(c.ts)::DateTime('UTC') AS second,
    c.gateway AS gateway, c.service AS service, c.route AS route,
    c.origin AS origin,
    count() AS calls,
    countIf(is_error) AS errors,
    countIf(is_rate_limited) AS rate_limited,
    countIf(c.status IS NOT NULL OR c.error_type != '') AS status_known,
    countIf(c.latency_ms IS NOT NULL) AS latency_known,
    sum(toFloat64(ifNull(c.latency_ms, 0))) AS latency_ms_sum
FROM calls AS c
GROUP BY second, gateway, service, route, origin;

-- By hour, for long views and forecasts; made by a job from the minute and second rollups, again after late data, and kept for
-- years. One row per selection and hour: `selector` is the canonical text (`service="chat"`, empty: all calls), `scope` its
-- dimensions' names (`service`, `global`). Of several rows for one hour the one with the highest (epoch, seq) holds.
CREATE TABLE IF NOT EXISTS hours
(
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    scope LowCardinality(String),
    selector String,
    origin LowCardinality(String),
    calls UInt64,
    errors UInt64,
    rate_limited UInt64,
    cache_hits UInt64,
    retries UInt64,
    fallbacks UInt64,
    bytes_in UInt64,
    bytes_out UInt64,
    prompt_tokens UInt64,
    completion_tokens UInt64,
    cached_tokens UInt64,
    cache_write_tokens UInt64,
    reasoning_tokens UInt64,
    unpriced UInt64,
    status_known UInt64,
    latency_known UInt64,
    upstream_known UInt64,
    ttft_known UInt64,
    tokens_known UInt64,
    cache_known UInt64,
    retries_known UInt64,
    fallback_known UInt64,
    cost_usd Float64,
    latency_ms_sum Float64,
    peak_tps Nullable(Float64),
    latency_p50 Nullable(Float64),
    latency_p90 Nullable(Float64),
    latency_p95 Nullable(Float64),
    latency_p99 Nullable(Float64),
    upstream_p95 Nullable(Float64),
    gateway_overhead_p95 Nullable(Float64),
    ttft_p95 Nullable(Float64),
    epoch UInt64,
    seq UInt64,
    -- (epoch, seq) as one number: what an ousted process still writes must lose in merges as well.
    version UInt128 MATERIALIZED bitOr(bitShiftLeft(toUInt128(epoch), 64), toUInt128(seq))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (scope, selector, hour)
SETTINGS non_replicated_deduplication_window = 10000;
