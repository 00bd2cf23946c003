-- Which back-test chose the blend, and what could not be known from so little history; empty for what was made before.
ALTER TABLE forecasts ADD COLUMN IF NOT EXISTS choice_version String AFTER error_mase;
ALTER TABLE forecasts ADD COLUMN IF NOT EXISTS note String AFTER choice_version;
