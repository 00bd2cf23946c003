-- What an explanation found beside the leading series (causes, hint, what did not move, related series) and what late data made of
-- the anomaly, as one JSON object: it is only ever read together with its anomaly. Empty: an anomaly of before this column.
ALTER TABLE anomalies ADD COLUMN IF NOT EXISTS details String DEFAULT '';
