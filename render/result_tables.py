"""What was measured and found as tables that people take away: the same columns by command and by API."""

from collections.abc import Iterable, Mapping

import orjson
import pandas as pd
import pyarrow as pa

from core.series import METRICS, Selector
from core.types import Anomaly, Incident

Meta = dict[str, str]

ANOMALY_META: Mapping[str, str] = {"content": "anomalies; observed, expected in `unit`; likeliest cause first"}
INCIDENT_META: Mapping[str, str] = {"content": "incidents; value, threshold in `unit`"}


def series_table(frame: pd.DataFrame, metric: str, selector: Selector, step_s: int) -> tuple[pd.DataFrame, Meta]:
    """`frame` has `ts` and `value`; other columns stay."""
    known = METRICS[metric]
    table = frame.rename(columns={"ts": "timestamp_utc", "value": known.name})
    meta = {"content": known.title, "unit": known.unit, "selection": selector.words}
    return table, {**meta, "step": f"{step_s} s"}


def call_frame(calls: pa.Table) -> pd.DataFrame:
    """Calls (CALL_SCHEMA) with their attributes as JSON."""
    frame: pd.DataFrame = calls.to_pandas()
    frame["attributes"] = [orjson.dumps(dict(pairs)).decode() for pairs in frame["attributes"]]
    return frame


def call_meta(selector: Selector, most_rows: int) -> Meta:
    return {"content": "calls", "selection": selector.words, "most_rows": f"{most_rows:,}"}


def anomaly_table(anomalies: Iterable[Anomaly]) -> pd.DataFrame:
    """A row an anomaly."""
    return pd.DataFrame([_anomaly(entry) for entry in anomalies])


def incident_table(incidents: Iterable[Incident]) -> pd.DataFrame:
    """A row an incident."""
    rows = [
        {
            "id": entry.id,
            "state": entry.state.value,
            "rule": entry.rule,
            "severity": entry.severity.value,
            "title": entry.title,
            "summary": entry.summary,
            "started_at_utc": entry.started_at,
            "resolved_at_utc": entry.resolved_at,
            "metric": entry.metric,
            "value": entry.value,
            "threshold": entry.threshold,
            "unit": entry.unit,
        }
        for entry in incidents
    ]
    return pd.DataFrame(rows)


def _anomaly(entry: Anomaly) -> dict[str, object]:
    return {
        "started_at_utc": entry.started_at,
        "ended_at_utc": entry.ended_at,
        "metric": entry.metric,
        "unit": METRICS[entry.metric].unit if entry.metric in METRICS else "",
        "selector": str(entry.selector),
        "score": entry.score,
        "severity": entry.severity,
        "observed": entry.observed,
        "expected": entry.expected,
        "lower": entry.lower,
        "upper": entry.upper,
        "metrics": ", ".join(dict.fromkeys([entry.metric, *(part.metric for part in entry.contributions)])),
        "unmoved": ", ".join(entry.unmoved),
        "causes": "; ".join(f"{str(cause.selector) or 'all traffic'} ({cause.share:.0%})" for cause in entry.causes),
        "first_cause": str(entry.causes[0].selector) if entry.causes else "",
        "first_cause_share": entry.causes[0].share if entry.causes else None,
        "hint": entry.hint,
        "evidence": entry.evidence,
        "opened_at_utc": entry.opened_at,
        "verdict": entry.verdict.value,
        "explanation": entry.explanation,
        "model_version": entry.model_version,
        "baseline_version": entry.baseline_version,
        "mask_id": entry.mask_id,
        "muted": entry.muted,
    }
