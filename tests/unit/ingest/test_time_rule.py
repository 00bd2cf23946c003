"""Calls from the far future and past: what is judged, by which time, and that nothing is lost by it."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import KafkaSettings, RetentionSettings
from core.record import TS_TYPE
from ingest.formats import Decoded, build_format
from ingest.time_rule import TIME_REASONS, TOO_NEW, TOO_OLD, TimeRule, judge, judged
from tests.unit.ingest.builders import NOON_MS, encoded, record

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
RULE = TimeRule(max_ahead_ms=DAY_MS, max_age_ms=30 * DAY_MS)
LAST_MS = 2**32 * 1000 - 1


def rows(*times_ms: int) -> pa.Table:
    return pa.table({"ts": pa.array(times_ms, pa.int64()).cast(TS_TYPE)})


@pytest.mark.parametrize(
    ("after_ms", "reason"),
    [(0, ""), (DAY_MS, ""), (DAY_MS + 1, TOO_NEW), (-30 * DAY_MS, ""), (-30 * DAY_MS - 1, TOO_OLD), (-NOON_MS, TOO_OLD)],
)
def test_the_edges_of_the_rule(after_ms: int, reason: str) -> None:
    kept, rejects = judge(rows(NOON_MS + after_ms), NOON_MS, RULE)
    assert kept.tolist() == [not reason]
    assert [one.reason for one in rejects] == [reason] * bool(reason)


def test_the_detail_says_which_time_and_how_far() -> None:
    _, rejects = judge(rows(NOON_MS + 36 * HOUR_MS, NOON_MS - 400 * DAY_MS), NOON_MS, RULE)
    assert rejects[0].detail == "ts: 2025-03-03T00:00:00.000Z lies 1d12h after the time of its record in Kafka"
    assert rejects[1].detail == "ts: 2024-01-26T12:00:00.000Z lies 400d before the time of its record in Kafka"


@given(
    st.lists(st.tuples(st.integers(0, LAST_MS), st.integers(-1, LAST_MS)), max_size=20),
    st.none() | st.integers(0, 10**10),
    st.none() | st.integers(0, 10**10),
)
def test_each_row_is_kept_or_rejected_by_its_own_reference(
    pairs: list[tuple[int, int]], ahead: int | None, age: int | None
) -> None:
    reference = np.asarray([at for _, at in pairs], np.int64)
    kept, rejects = judge(rows(*(ts for ts, _ in pairs)), reference, TimeRule(max_ahead_ms=ahead, max_age_ms=age))
    expected = []
    for ts, at in pairs:
        new = at >= 0 and ahead is not None and ts - at > ahead
        old = at >= 0 and age is not None and at - ts > age
        expected.append(TOO_NEW if new else TOO_OLD if old else "")
    assert kept.tolist() == [not reason for reason in expected]
    assert [(one.index, one.reason) for one in rejects] == [(place, why) for place, why in enumerate(expected) if why]


def test_refused_rows_take_their_place_among_the_rejects_of_the_batch() -> None:
    values = [
        *encoded(record(request_id="a")),
        b"not json",
        *encoded(record(request_id="b", ts=NOON_MS + 2 * DAY_MS), record(request_id="c"), record(request_id="d", ts=1)),
    ]
    decoded = build_format("tpscope", {}).decode(values)
    found = judged(decoded, np.full(5, NOON_MS, np.int64), RULE)
    assert found.rows.column("request_id").to_pylist() == ["a", "c"]
    assert found.rows.schema == decoded.rows.schema
    assert found.valid.tolist() == [0, 3]
    assert [(one.index, one.reason) for one in found.rejects] == [(1, "not_json"), (2, TOO_NEW), (4, TOO_OLD)]
    assert judged(decoded, np.full(5, -1, np.int64), RULE) is decoded  # no time in Kafka: nothing to judge by


def test_a_record_of_several_calls_is_kept_or_refused_as_a_whole() -> None:
    times = [NOON_MS, NOON_MS - 40 * DAY_MS, NOON_MS + 2 * DAY_MS, NOON_MS, NOON_MS]
    decoded = Decoded(rows=rows(*times), valid=np.asarray([0, 0, 0, 1, 2]), rejects=())
    result = judged(decoded, np.full(3, NOON_MS), RULE)
    assert result.valid.tolist() == [1, 2]
    assert result.rows.num_rows == 2
    assert [(one.index, one.reason) for one in result.rejects] == [(0, TOO_OLD)]


def test_the_rule_of_the_configuration() -> None:
    assert TimeRule.of(KafkaSettings(), RetentionSettings()) == RULE
    retention = RetentionSettings(calls=timedelta(days=7))
    assert TimeRule.of(KafkaSettings(), retention).max_age_ms == 7 * DAY_MS
    settings = KafkaSettings(max_age=timedelta(hours=1), too_new="keep")
    assert TimeRule.of(settings, retention) == TimeRule(max_ahead_ms=None, max_age_ms=HOUR_MS)
    assert set(TIME_REASONS) == {TOO_NEW, TOO_OLD}
