-- What the jobs write. Rows that change are append-only events: of several rows with one key, the one with the highest
-- (epoch, seq) holds, read by argMax. `epoch` is the fencing epoch of the jobs process: what an ousted process still writes
-- has a lower one and loses.

CREATE TABLE IF NOT EXISTS jobs
(
    name LowCardinality(String),
    cursor Nullable(DateTime64(3, 'UTC')),
    last_success_at Nullable(DateTime64(3, 'UTC')),
    last_error_at Nullable(DateTime64(3, 'UTC')),
    last_error String,
    duration_s Float64,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (name, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Expected value and range of a series at an hour of the week (slot 0 is Monday 00:00 in the configured time zone), on the
-- metric's own scale; `scale` is the robust spread on the transformed scale that deviations are measured in.
-- ORDER BY version first: everything reads one version.
CREATE TABLE IF NOT EXISTS baselines
(
    version String,
    name String,
    built_at DateTime64(3, 'UTC'),
    trained_from DateTime64(3, 'UTC'),
    trained_to DateTime64(3, 'UTC'),
    metric LowCardinality(String),
    selector LowCardinality(String),
    slot UInt16,
    expected Float64,
    lower Float64,
    upper Float64,
    center Float64,
    scale Float64,
    samples UInt32,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (version, metric, selector, slot)
SETTINGS non_replicated_deduplication_window = 10000;

-- Fitted models as named arrays, never pickles: what is read back cannot run code.
CREATE TABLE IF NOT EXISTS models
(
    version String,
    kind LowCardinality(String),
    built_at DateTime64(3, 'UTC'),
    meta String,
    array LowCardinality(String),
    shape Array(UInt32),
    values Array(Float64),
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (kind, version, array)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS anomalies
(
    id String,
    started_at DateTime64(3, 'UTC'),
    last_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    selector String,
    metric LowCardinality(String),
    direction LowCardinality(String),
    score Float64,
    severity Float64,
    observed Float64,
    expected Float64,
    lower Float64,
    upper Float64,
    contributions String,
    explanation String,
    model_version String,
    baseline_version String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, id, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- What a detector must remember between minutes (open runs, recent verdicts), as JSON; the latest row holds. Retention counts
-- from the writing (`seq` is in nanoseconds since 1970), not from `at`, which lies far back when history is replayed.
CREATE TABLE IF NOT EXISTS detector_state
(
    detector LowCardinality(String),
    at DateTime64(3, 'UTC'),
    state String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (detector, epoch, seq)
TTL toDateTime(intDiv(seq, 1000000000)) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS forecasts
(
    version String,
    made_at DateTime64(3, 'UTC'),
    metric LowCardinality(String),
    selector String,
    unit LowCardinality(String),
    model LowCardinality(String),
    step LowCardinality(String),
    trained_from DateTime64(3, 'UTC'),
    trained_to DateTime64(3, 'UTC'),
    error_mase Float64,
    ts DateTime64(3, 'UTC'),
    mean Float64,
    q05 Float64,
    q10 Float64,
    q25 Float64,
    q50 Float64,
    q75 Float64,
    q90 Float64,
    q95 Float64,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(made_at)
ORDER BY (metric, selector, version, ts)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS incidents
(
    id String,
    fingerprint String,
    state LowCardinality(String),
    rule LowCardinality(String),
    kind LowCardinality(String),
    severity LowCardinality(String),
    labels Map(String, String),
    title String,
    summary String,
    started_at DateTime64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC'),
    resolved_at Nullable(DateTime64(3, 'UTC')),
    last_notified_at Nullable(DateTime64(3, 'UTC')),
    metric LowCardinality(String),
    value Float64,
    threshold Float64,
    unit LowCardinality(String),
    anomaly_id String,
    runbook String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, id, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- The outbox: a message is written here before it is sent, so that a crash loses none.
CREATE TABLE IF NOT EXISTS notifications
(
    id String,
    incident_id String,
    receiver LowCardinality(String),
    reason LowCardinality(String),
    state LowCardinality(String),
    created_at DateTime64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC'),
    attempts UInt32,
    next_attempt_at Nullable(DateTime64(3, 'UTC')),
    error String,
    payload String,
    epoch UInt64,
    seq UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (created_at, id, epoch, seq)
SETTINGS non_replicated_deduplication_window = 10000;
