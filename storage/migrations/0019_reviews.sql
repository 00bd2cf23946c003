-- Reviews as they were made. A row is never replaced: a review made again is the next version of its id, and of two rows of one
-- version the one that was written first holds. Read by id, or listed by period.
CREATE TABLE IF NOT EXISTS reviews
(
    id String,
    kind LowCardinality(String),
    version UInt32,
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    made_at DateTime64(3, 'UTC'),
    made_by String,
    words String,
    body String CODEC(ZSTD(3)),
    page String CODEC(ZSTD(3)),
    seq UInt64
)
ENGINE = MergeTree
ORDER BY (id, version, seq)
TTL toDateTime(made_at) + INTERVAL 1100 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000;
