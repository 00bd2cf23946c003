-- What capacity is computed from and what comes out. Rows are append-only events: of several with one key the one with the
-- highest (epoch, seq) holds. Bodies are JSON, read by the functions of storage/capacity.py alone.

-- The price table as a whole, once for each change of it; the newest prices everything, also what is long past.
CREATE TABLE IF NOT EXISTS prices
(
    at DateTime64(3, 'UTC'),
    body String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Ceilings that were measured, by selection.
CREATE TABLE IF NOT EXISTS fits
(
    selector String,
    made_at DateTime64(3, 'UTC'),
    body String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (selector, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far each limit is away. The columns are what rules ask for; the body has the rest.
CREATE TABLE IF NOT EXISTS limits
(
    name String,
    made_at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    selector String,
    probability Nullable(Float64),
    headroom Nullable(Float64),
    early_at Nullable(DateTime64(3, 'UTC')),
    body String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (name, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- What it costs to serve the forecasts, by selection.
CREATE TABLE IF NOT EXISTS serving_costs
(
    selector String,
    made_at DateTime64(3, 'UTC'),
    body String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (selector, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Load tests: their begin and end, as they were tagged.
CREATE TABLE IF NOT EXISTS runs
(
    id String,
    name String,
    selector String,
    note String,
    started_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Tokens by class of the calls whose gateway reported no cost: what a price table, applied when read, is multiplied with. Only
-- such calls have rows, and there is no state of a quantile, so all dimensions that pages ask by fit into one small table.
-- ORDER BY time first: a question is about a span, over whatever dimensions.
CREATE TABLE IF NOT EXISTS unpriced_1m
(
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    provider LowCardinality(String),
    account LowCardinality(String),
    model LowCardinality(String),
    gateway LowCardinality(String),
    service LowCardinality(String),
    route LowCardinality(String),
    tenant LowCardinality(String),
    origin LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    prompt_tokens SimpleAggregateFunction(sum, UInt64),
    completion_tokens SimpleAggregateFunction(sum, UInt64),
    cached_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, provider, account, model, gateway, service, route, tenant, origin)
TTL minute + INTERVAL 90 DAY DELETE WHERE origin != 'import'
SETTINGS non_replicated_deduplication_window = 10000;

-- The same by the hour and kept for good, like the table `hours`.
CREATE TABLE IF NOT EXISTS unpriced_1h
(
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    provider LowCardinality(String),
    account LowCardinality(String),
    model LowCardinality(String),
    gateway LowCardinality(String),
    service LowCardinality(String),
    route LowCardinality(String),
    tenant LowCardinality(String),
    origin LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    prompt_tokens SimpleAggregateFunction(sum, UInt64),
    completion_tokens SimpleAggregateFunction(sum, UInt64),
    cached_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, provider, account, model, gateway, service, route, tenant, origin)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS unpriced_1m_mv TO unpriced_1m AS
SELECT
    toStartOfMinute(toDateTime(c.ts, 'UTC')) AS minute,
    c.provider AS provider, c.account AS account, c.model AS model, c.gateway AS gateway, c.service AS service,
    c.route AS route, c.tenant AS tenant, c.origin AS origin,
    count() AS calls,
    sum(toUInt64(ifNull(c.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt64(ifNull(c.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt64(ifNull(c.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt64(ifNull(c.cache_write_tokens, 0))) AS cache_write_tokens,
    sum(toUInt64(ifNull(c.reasoning_tokens, 0))) AS reasoning_tokens
FROM calls AS c
WHERE c.cost_usd IS NULL AND (c.prompt_tokens IS NOT NULL OR c.completion_tokens IS NOT NULL)
GROUP BY minute, provider, account, model, gateway, service, route, tenant, origin;

CREATE MATERIALIZED VIEW IF NOT EXISTS unpriced_1h_mv TO unpriced_1h AS
SELECT
    toStartOfHour(toDateTime(c.ts, 'UTC')) AS hour,
    c.provider AS provider, c.account AS account, c.model AS model, c.gateway AS gateway, c.service AS service,
    c.route AS route, c.tenant AS tenant, c.origin AS origin,
    count() AS calls,
    sum(toUInt64(ifNull(c.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt64(ifNull(c.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt64(ifNull(c.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt64(ifNull(c.cache_write_tokens, 0))) AS cache_write_tokens,
    sum(toUInt64(ifNull(c.reasoning_tokens, 0))) AS reasoning_tokens
FROM calls AS c
WHERE c.cost_usd IS NULL AND (c.prompt_tokens IS NOT NULL OR c.completion_tokens IS NOT NULL)
GROUP BY hour, provider, account, model, gateway, service, route, tenant, origin;
