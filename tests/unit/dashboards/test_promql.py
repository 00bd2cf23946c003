"""What is understood of PromQL, and what is refused in words."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.record import DIMENSIONS
from core.series import METRICS
from dashboards.api.promql import BadQuery, VectorQuery, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tps", VectorQuery(metric="tps")),
        (" tps { } ", VectorQuery(metric="tps")),
        ('tps{service="chat",}', VectorQuery(metric="tps", equal={"service": "chat"})),
        ("latency_p95{route='/a\\'b'}", VectorQuery(metric="latency_p95", equal={"route": "/a'b"})),
        ('{__name__="tps", model="m"}', VectorQuery(metric="tps", equal={"model": "m"})),
        ("sum(tps)", VectorQuery(metric="tps")),
        ("sum by (service, model) (tps)", VectorQuery(metric="tps", by=("service", "model"))),
        ("avg(latency_p99) by (tenant)", VectorQuery(metric="latency_p99", by=("tenant",))),
        ('tps{model=~"a|b\\\\.c"}', VectorQuery(metric="tps", one_of={"model": ("a", "b.c")}, by=("model",))),
        ('tps{model=~".+"}', VectorQuery(metric="tps", one_of={"model": ()}, by=("model",))),
        ("1+1", 2.0),
        ("42", 42.0),
    ],
)
def test_expressions_become_questions(text: str, expected: VectorQuery | float) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends too early"),
        ("up", "is no metric"),
        ("rate(tps[5m])", "is not understood"),
        ("tps + tps", "is not understood"),
        ("tps tps", "behind 'tps'"),
        ('tps{service="a"', "ends too early"),
        ("tps{service=a}", "in quotes"),
        ('tps{color="red"}', "is no dimension"),
        ('tps{service!="a"}', "compare with = or =~"),
        ('tps{service="a",service="b"}', "twice"),
        ('tps{service=~"(a+)+$"}', "values with bars"),
        ('tps{service=~"a{1000}{1000}"}', "values with bars"),
        ("sum by (service) (latency_p95)", "avg by"),
        ("avg(tps)", "sum by"),
        ('sum by (model) (tps{service=~"a|b"})', "must stand in by"),
        ("x" * 5000, "longer than"),
        ("tps; DROP TABLE calls", "is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(BadQuery, match=words):
        parse(text)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(DIMENSIONS), st.text(max_size=30), max_size=4), st.sampled_from(sorted(METRICS)))
def test_any_value_comes_through_its_quotes(labels: dict[str, str], metric: str) -> None:
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in labels.items()}
    text = metric + "{" + ",".join(f'{name}="{value}"' for name, value in quoted.items()) + "}"
    assert parse(text) == VectorQuery(metric=metric, equal=labels)


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="tps{}()=~!,\"' by sum\\|.*service1+", max_size=40))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    with suppress(BadQuery):
        assert isinstance(parse(text), VectorQuery | float)
