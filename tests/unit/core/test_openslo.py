"""OpenSLO v1 files as objectives."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from core.openslo import read_openslo

HEAD = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: chat-availability, displayName: Chat answers}\nspec:\n"
TSCOPE = "metricSource: {type: tpscope, spec: {metric: error_rate, selector: {service: chat}}}"
RATIO = f"{HEAD}  service: chat\n  indicator: {{spec: {{ratioMetric: {{counter: true, bad: {{{TSCOPE}}}}}}}}}\n"
SLOW = "metricSource: {type: tpscope, spec: {metric: latency_p99}}"
THRESHOLD = f"{HEAD}  indicator: {{spec: {{thresholdMetric: {{{SLOW}}}}}}}\n"


@pytest.mark.parametrize("target", ["target: 0.995", "targetPercent: 99.5"])
def test_a_ratio_is_a_share_of_bad_calls(target: str) -> None:
    (found,) = read_openslo(f"kind: Service\n---\n{RATIO}  objectives: [{{{target}}}]\n", "slo.yaml")
    assert (found.name, found.metric, found.selector) == ("chat-availability", "error_rate", {"service": "chat"})
    assert found.at_most == pytest.approx(0.005)
    assert found.description == "Chat answers"


def test_a_threshold_has_a_limit_for_each_objective() -> None:
    found = read_openslo(f"{THRESHOLD}  objectives: [{{op: lte, value: 500}}, {{op: gt, value: 1}}]\n", "slo.yaml")
    assert [(one.name, one.at_most, one.at_least) for one in found] == [
        ("chat-availability-1", 500.0, None),
        ("chat-availability-2", None, 1.0),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", r"slo.yaml: is no YAML"),
        ("kind: Service", "no document of kind SLO"),
        (f"{RATIO}  objectives: [{{target: 99}}]".replace("openslo/v1", "openslo/v2"), "apiVersion 'openslo/v2' is not"),
        (f"{RATIO}  objectives: [{{target: 99}}]", "needs a target between 0 and 1"),
        (f"{RATIO}  objectives: [{{target: 0.9}}]".replace("type: tpscope", "type: prometheus"), "type: tpscope"),
        (f"{THRESHOLD}  objectives: [{{op: about, value: 3}}]", r"needs op \(lte, lt, gte, gt\)"),
        (f"{THRESHOLD}  objectives: [{{op: lte, value: 3}}]".replace("latency_p99", "speed"), "'speed' is no metric"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_says_why(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_openslo(text, "slo.yaml")
    assert "\n" not in str(caught.value)


PAY = "metricSource: {type: tpscope, spec: {transaction: pay}}"
GOOD_OF = f"{HEAD}  indicator: {{spec: {{ratioMetric: {{good: {{{PAY}}}}}}}}}\n  objectives: [{{target: 0.999}}]\n"


def threshold_of(metric: str, objective: str, more: str = "") -> str:
    source = f"metricSource: {{type: tpscope, spec: {{transaction: pay, metric: {metric}}}}}"
    return f"{HEAD}{more}  indicator: {{spec: {{thresholdMetric: {{{source}}}}}}}\n  objectives: [{objective}]\n"


@pytest.mark.parametrize(
    ("text", "target", "under_ms", "at_least"),
    [
        (GOOD_OF, 0.999, None, None),
        (GOOD_OF.replace("good", "bad"), 0.999, None, None),
        (GOOD_OF.replace("transaction: pay", "transaction: pay, under: 500ms"), 0.999, 500.0, None),
        (threshold_of("latency", "{op: lte, value: 250, target: 0.99}"), 0.99, 250.0, None),
        (threshold_of("tps", "{op: gte, value: 20, target: 0.95}", "  budgetingMethod: Timeslices\n"), 0.95, None, 20.0),
    ],
)
def test_indicators_are_mapped_to_a_transaction(
    text: str, target: float, under_ms: float | None, at_least: float | None
) -> None:
    (found,) = read_openslo(text, "slo.yaml")
    assert (found.transaction, found.target, found.under_ms, found.at_least) == ("pay", target, under_ms, at_least)


def test_an_indicator_may_stand_in_a_document_of_its_own() -> None:
    sli = f"---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: pays}}\nspec: {{ratioMetric: {{good: {{{PAY}}}}}}}\n"
    (found,) = read_openslo(f"{HEAD}  indicatorRef: pays\n  objectives: [{{target: 0.99}}]\n{sli}", "slo.yaml")
    assert found.transaction == "pay"
    with pytest.raises(ConfigError, match="indicatorRef 'gone' is no SLI of this file"):
        read_openslo(f"{HEAD}  indicatorRef: gone\n  objectives: [{{target: 0.99}}]\n{sli}", "slo.yaml")


@pytest.mark.parametrize(
    ("given", "window", "zone"),
    [
        ("{duration: 28d, isRolling: true}", timedelta(days=28), ""),
        ("{duration: 1M, isRolling: true}", timedelta(days=30), ""),
        ("{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Asia/Tokyo}}", "month", "Asia/Tokyo"),
        ("{duration: 1Q, calendar: {startTime: 2026-04-01 00:00:00, timeZone: UTC}}", "quarter", "UTC"),
        ("{duration: 1w, isRolling: false, calendar: {startTime: 2026-03-02 00:00:00}}", "week", ""),
    ],
)  # fmt: skip
def test_time_windows_roll_or_follow_the_calendar(given: str, window: object, zone: str) -> None:
    (found,) = read_openslo(f"{GOOD_OF}  timeWindow: [{given}]\n", "slo.yaml")
    assert (found.window, found.time_zone) == (window, zone)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{GOOD_OF}  timeWindow: [{{duration: soon}}]", "the duration 'soon' of its timeWindow is none"),
        (f"{GOOD_OF}  timeWindow: [{{duration: 2w, isRolling: false}}]", "is of 1d, 1w, 1M, 1Q or 1Y, and not of 2w"),
        (
            f"{GOOD_OF}  timeWindow: [{{duration: 1M, calendar: {{startTime: 2026-01-21 12:30:00}}}}]",
            "here a month begins at the first midnight of it",
        ),
        (f"{GOOD_OF}  timeWindow: [{{duration: 1d}}, {{duration: 2d}}]", "a list of one window"),
        (f"{GOOD_OF}  budgetingMethod: Timeslices", "is not how this is counted, which is Occurrences"),
        (threshold_of("latency_p99", "{op: lte, value: 3, target: 0.9}"), "of metric latency"),
        (threshold_of("latency", "{op: lte, value: 3}"), "needs a target between 0 and 1"),
        (GOOD_OF.replace("transaction: pay", "metric: error_rate"), "ratioMetric.good needs a transaction"),
    ],
)
def test_what_is_not_counted_so_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_openslo(text, "slo.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.sampled_from(["SLO", "openslo/v1", "tpscope", "error_rate"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["kind", "spec", "metadata", "objectives", "indicator", "indicatorRef", "timeWindow"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_whatever_stands_in_the_file_is_read_or_refused(spec: object, metadata: object) -> None:
    import json

    text = json.dumps({"kind": "SLO", "apiVersion": "openslo/v1", "spec": spec, "metadata": metadata})
    with pytest.raises(ConfigError):
        read_openslo(text, "slo.yaml")
