-- How forecasts of a series would have done on its own history, by horizon: one version is one back-test of all series.
-- ORDER BY the series first: a page reads the newest of one series.
CREATE TABLE IF NOT EXISTS forecast_backtests
(
    version String,
    made_at DateTime64(3, 'UTC'),
    metric LowCardinality(String),
    selector String,
    horizon_h UInt32,
    origins UInt32,
    history_from DateTime64(3, 'UTC'),
    history_to DateTime64(3, 'UTC'),
    mase Float64,
    wql Float64,
    wql95 Float64,
    coverage90 Float64,
    mean4_mase Float64,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (metric, selector, made_at, horizon_h)
SETTINGS non_replicated_deduplication_window = 10000;
