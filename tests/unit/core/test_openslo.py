"""OpenSLO v1 files as objectives."""

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


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.sampled_from(["SLO", "openslo/v1", "tpscope", "error_rate"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "spec", "metadata", "objectives", "indicator"]), inner, max_size=3)
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
