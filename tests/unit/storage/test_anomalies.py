import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly, AnomalyVerdict, Cause, Contribution, Related
from storage.anomalies import read_anomalies, write_anomalies
from storage.anomaly_details import details_of
from storage.contract import Store

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAN = float("nan")


def _anomaly(id: str = "a", **changes: object) -> Anomaly:
    anomaly = Anomaly(
        id=id,
        started_at=AT,
        last_at=AT,
        ended_at=None,
        selector=Selector.of(service="chat", provider='odd "name", with\\all'),
        metric="latency_p95",
        direction=Direction.HIGH,
        score=1.7,
        severity=0.4,
        observed=910.5,
        expected=400.0,
        lower=300.0,
        upper=520.25,
        contributions=(
            Contribution(
                selector=Selector.of(model="m"),
                metric="error_rate",
                observed=0.5,
                expected=0.01,
                lower=NAN,
                upper=0.02,
                share=0.75,
            ),
        ),
        explanation="Latency P95 of service chat left its range.",
        model_version="m1",
        baseline_version="b1",
    )
    return replace(anomaly, **changes)  # type: ignore[arg-type]


def test_what_was_written_comes_back(store: Store) -> None:
    write_anomalies(store, [_anomaly()], 1)
    (found,) = read_anomalies(store, AT, AT + MINUTE)
    part = found.contributions[0]
    assert math.isnan(part.lower)
    assert replace(found, contributions=(replace(part, lower=0.0),)) == replace(
        _anomaly(), contributions=(replace(_anomaly().contributions[0], lower=0.0),)
    )


def test_what_an_explanation_found_comes_back(store: Store) -> None:
    told = _anomaly(
        contributions=(),
        opened_at=AT + MINUTE,
        causes=(
            Cause(selector=Selector.of(provider="p", route="/a"), observed=0.9, expected=0.01, share=0.8, surprise=120.5),
            Cause(selector=ALL_CALLS, observed=0.2, expected=0.01, share=1.0, surprise=80.0),
        ),
        hint="provider outage",
        evidence="provider p: 90 % against 1 % before",
        unmoved=("tps", "cost_per_h"),
        related=(Related(selector=ALL_CALLS, metric="latency_p50", lag_minutes=3, correlation=-0.8),),
        verdict=AnomalyVerdict.AMENDED,
    )
    write_anomalies(store, [told], 1)
    assert read_anomalies(store, AT, AT + MINUTE) == [told]


def test_an_anomaly_of_before_there_were_details_is_read(store: Store) -> None:
    assert details_of("") == {}


def test_unknown_numbers_stay_unknown(store: Store) -> None:
    write_anomalies(store, [_anomaly(expected=NAN, contributions=())], 1)
    (found,) = read_anomalies(store, AT, AT + MINUTE)
    assert math.isnan(found.expected)
    assert found.contributions == ()


def test_the_latest_state_holds_also_within_one_write(store: Store) -> None:
    write_anomalies(store, [_anomaly(score=1.1), _anomaly(score=2.2)], 1)
    assert [one.score for one in read_anomalies(store, AT, AT + MINUTE)] == [2.2]
    write_anomalies(store, [_anomaly(score=3.3)], 1)
    write_anomalies(store, [_anomaly(score=9.9)], 0)
    assert [one.score for one in read_anomalies(store, AT, AT + MINUTE)] == [3.3]


def test_a_span_has_what_lasted_in_it(store: Store) -> None:
    ended = _anomaly("ended", ended_at=AT + 5 * MINUTE)
    later = _anomaly("later", started_at=AT + 10 * MINUTE)
    write_anomalies(store, [ended, later], 1)

    def ids(start: datetime, end: datetime) -> list[str]:
        return [one.id for one in read_anomalies(store, start, end)]

    assert ids(AT, AT + 20 * MINUTE) == ["later", "ended"]  # newest first
    assert ids(AT + 5 * MINUTE, AT + 10 * MINUTE) == []  # half open at both ends
    assert ids(AT + 4 * MINUTE, AT + 10 * MINUTE) == ["ended"]
    assert ids(AT + timedelta(days=3), AT + timedelta(days=4)) == ["later"]  # open: it lasts still
    assert [one.id for one in read_anomalies(store, AT, AT + 20 * MINUTE, open_only=True)] == ["later"]


def test_an_anomaly_that_ended_is_not_found_open_by_its_earlier_state(store: Store) -> None:
    write_anomalies(store, [_anomaly(), _anomaly(ended_at=AT + MINUTE)], 1)
    assert read_anomalies(store, AT, AT + MINUTE, open_only=True) == []


def test_a_selector_finds_what_lies_within(store: Store) -> None:
    write_anomalies(
        store,
        [
            _anomaly("pair", selector=Selector.of(model="m", service="chat")),
            _anomaly("longer name", selector=Selector.of(requested_model="m")),
            _anomaly("in a value", selector=Selector.of(service='x",model="m')),
            _anomaly("all", selector=ALL_CALLS),
        ],
        1,
    )

    def ids(selector: Selector | None) -> set[str]:
        return {one.id for one in read_anomalies(store, AT, AT + MINUTE, selector=selector)}

    assert ids(Selector.of(model="m")) == {"pair"}
    assert ids(Selector.of(service="chat", model="m")) == {"pair"}
    assert ids(Selector.of(service='x",model="m')) == {"in a value"}
    assert ids(ALL_CALLS) == ids(None) == {"pair", "longer name", "in a value", "all"}


def test_nothing_is_written_for_nothing(store: Store) -> None:
    write_anomalies(store, [], 1)
    assert read_anomalies(store, AT, AT + MINUTE) == []
