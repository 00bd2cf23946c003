"""Which calls an explanation asks for, and that what is expected to grow by the hour is nobody's fault."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from analytics.detect import judge
from analytics.diagnosing import diagnosing
from analytics.diagnosis import Diagnosis
from analytics.evidence import Evidence
from analytics.features import Panel
from analytics.run_state import Run
from core.changes import Change, ChangeKind
from core.series import Direction, Selector
from core.transactions import Transaction
from core.types import Related
from storage.contract import Store
from storage.leaves import LeafRows
from tests.unit.analytics.builders import DAY, MIN_CALLS, MINUTE, MONDAY, traffic_panel
from tests.unit.analytics.calls import frame_of
from tests.unit.analytics.conftest import Learned
from tests.unit.analytics.test_causes import failing

FAILED = LeafRows(frame=frame_of(failing(0.7, provider="provider-1")), inside_share=1.0, before_share=1.0)


def no_samples(store: Store, start: datetime, end: datetime) -> dict[str, np.ndarray]:
    return {}


def no_changes(store: Store, start: datetime, end: datetime) -> list[Change]:
    return []


def run_of(started: datetime, metric: str = "error_rate") -> Run:
    part = Evidence(
        metric=metric, selector='provider="openai"', direction=Direction.HIGH.value, led=3.0, moved=3.0, strength=3.0,
        share=0.9, observed=0.7, expected=0.01, lower=0.0, upper=0.05,
    )  # fmt: skip
    at = started.isoformat()
    return Run(
        id="a", started_at=at, last_at=at, grown_at=at, quiet=0, quiet_since="", score=3.0,
        members={'provider="openai"': metric}, evidence=(part,),
    )  # fmt: skip


@pytest.fixture(scope="module")
def hours(learned: Learned) -> Panel:
    """Two hours from noon on of the first day that was not learned."""
    panel = traffic_panel(learned.traffic.panels(learned.days, learned.days + 1), learned.days, learned.days + 1)
    return panel.slice(12 * 60, 14 * 60)


@pytest.mark.parametrize(("lasted", "window"), [(6, 6), (40, 15)])
def test_the_last_minutes_are_compared_with_the_hour_before_the_anomaly(
    learned: Learned, hours: Panel, offline: Store, lasted: int, window: int
) -> None:
    asked: list[tuple[datetime, ...]] = []

    def read(store: Store, *span: datetime) -> LeafRows:
        asked.append(span)
        return FAILED

    verdicts = judge(hours, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    started = hours.start + 60 * MINUTE
    minute = verdicts.minute(60 + lasted - 1)
    found = diagnosing(offline, learned.trained, hours, read, no_samples, no_changes)(run_of(started), minute)
    end = started + lasted * MINUTE
    before_end = started - 3 * MINUTE
    assert asked == [(before_end - timedelta(hours=1), before_end, end - window * MINUTE, end)]
    assert found is not None
    assert found.causes[0].selector == Selector.of(provider="provider-1")
    assert found.hint == "provider outage"


def test_an_anomaly_of_a_transaction_is_explained_by_its_own_calls(learned: Learned, hours: Panel, offline: Store) -> None:
    pay, other = (Transaction(name=name, selector=(("service", (name,)),)) for name in ("pay", "ask"))
    asked: list[object] = []

    def read(store: Store, *given: object) -> LeafRows:
        asked.append(given[4:])
        return FAILED

    verdicts = judge(hours, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    ask = diagnosing(offline, learned.trained, hours, read, no_samples, no_changes, transactions=(other, pay))
    run = run_of(hours.start + 60 * MINUTE)
    for selector in (pay.selection, Selector.of(provider="openai")):
        ask(replace(run, evidence=(replace(run.lead, selector=str(selector)),)), verdicts.minute(61))
    assert asked == [(pay,), ()]


def test_without_calls_there_is_no_diagnosis(learned: Learned, hours: Panel, offline: Store) -> None:
    verdicts = judge(hours, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    ask = diagnosing(
        offline, learned.trained, hours, lambda *span: replace(FAILED, frame=FAILED.frame.iloc[:0]), no_samples, no_changes
    )
    assert ask(run_of(hours.start + 60 * MINUTE), verdicts.minute(61)) is None


def test_series_that_moved_with_the_leading_one_are_named_and_none_of_the_future(
    learned: Learned, hours: Panel, offline: Store
) -> None:
    lead, other = hours.selectors.index(Selector.of(provider="openai")), hours.selectors.index(Selector.of(route="/chat/a"))
    values = {name: matrix.copy() for name, matrix in hours.values.items()}
    values["error_rate"][lead, 50:60] = np.linspace(0.1, 0.9, 10)
    values["latency_p95"][other, 48:58] *= np.linspace(2.0, 9.0, 10)
    moved = replace(hours, values=values)

    def related(panel: Panel) -> tuple[Related, ...]:
        verdicts = judge(panel, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
        ask = diagnosing(offline, learned.trained, panel, lambda *span: FAILED, no_samples, no_changes)
        found = ask(run_of(panel.start + 50 * MINUTE), verdicts.minute(59))
        assert found is not None
        return found.related

    named = {(one.selector, one.metric): one.lag_minutes for one in related(moved)}
    assert named[Selector.of(route="/chat/a"), "latency_p95"] in (1, 2, 3)
    later = {name: matrix.copy() for name, matrix in values.items()}
    for matrix in later.values():
        matrix[:, 60:] *= 3.0
    assert related(replace(hours, values=later)) == related(moved)
    assert MONDAY + learned.days * DAY + timedelta(hours=12) == hours.start


def test_a_sample_that_rose_first_is_evidence(learned: Learned, hours: Panel, offline: Store) -> None:
    lead = hours.selectors.index(Selector.of(provider="openai"))
    values = {name: matrix.copy() for name, matrix in hours.values.items()}
    values["error_rate"][lead, 80:90] = np.linspace(0.1, 0.9, 10)
    panel = replace(hours, values=values)
    asked = list[tuple[datetime, datetime]]()

    def samples(store: Store, start: datetime, end: datetime) -> dict[str, np.ndarray]:
        asked.append((start, end))
        depth = np.zeros(60)
        depth[46:56] = np.linspace(5.0, 50.0, 10)
        depth[56:] = 50.0
        return {"queue_depth": depth, "unknown": np.full(60, np.nan)}

    verdicts = judge(panel, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    ask = diagnosing(offline, learned.trained, panel, lambda *span: FAILED, samples, no_changes)
    found = [ask(run_of(panel.start + 80 * MINUTE), verdicts.minute(89)) for _ in range(2)]
    assert asked == [(panel.start + 30 * MINUTE, panel.start + 90 * MINUTE)]
    assert found[0] == found[1] is not None
    assert found[0] is not None
    assert [one.metric for one in found[0].related if one.metric in ("queue_depth", "unknown")] == ["queue_depth"]
    assert re.search(r"provider-1: .*; queue_depth rose [3-5] min before$", found[0].evidence)


def test_the_last_change_before_it_that_its_calls_may_have_met_is_named(learned: Learned, hours: Panel, offline: Store) -> None:
    started = hours.start + 60 * MINUTE

    def changes(store: Store, start: datetime, end: datetime) -> list[Change]:
        assert (start, end) == (started - 30 * MINUTE, started + MINUTE)
        spans: tuple[tuple[int, dict[str, str]], ...] = (
            (10, {}),
            (5, {"provider": "openai"}),
            (4, {"provider": "other"}),
            (-5, {}),
        )
        return [
            Change(
                id=str(minutes),
                at=started - minutes * MINUTE,
                kind=ChangeKind.DEPLOY,
                what=f"v{minutes}",
                selector=Selector.of(labels),
                who="",
                found=True,
                made_at=started,
            )
            for minutes, labels in spans
        ]

    verdicts = judge(hours, learned.trained.baselines, learned.trained.forest, MIN_CALLS)
    ask = diagnosing(offline, learned.trained, hours, lambda *span: FAILED, no_samples, changes)
    found = ask(run_of(started), verdicts.minute(61))
    assert found is not None
    assert found.change == f"deploy: v5 (provider openai) at {started - 5 * MINUTE:%Y-%m-%d %H:%M} UTC"
    assert Diagnosis.from_json(found.to_json()) == found
