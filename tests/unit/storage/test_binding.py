"""Values become literals that stay in their place, whatever they are."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.binding import quote, render
from storage.contract import Store
from tests.support.stores import chdb_store

NOISE = st.text(
    alphabet=st.sampled_from(list("'\"\\`{}:;,()[]-/* \0\n\r\tabN0xü中🙂")) | st.characters(exclude_categories=["Cs"])
)
ENGINE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("binding")) as store:
        yield store


@given(text=NOISE)
@ENGINE
def test_any_text_comes_back_and_changes_nothing_around_it(engine: Store, text: str) -> None:
    row = engine.arrow("SELECT {a:String} AS a, 'kept' AS kept, {b:String} AS b", {"a": text, "b": text}).to_pylist()
    assert row == [{"a": text, "kept": "kept", "b": text}]


@given(texts=st.lists(NOISE, max_size=6), numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6))
@ENGINE
def test_any_list_comes_back(engine: Store, texts: list[str], numbers: list[int]) -> None:
    sql = "SELECT {texts:Array(String)} AS texts, {numbers:Array(Int64)} AS numbers, {n:Array(Nullable(String))} AS n"
    row = engine.arrow(sql, {"texts": texts, "numbers": numbers, "n": tuple(texts)}).to_pylist()
    assert row == [{"texts": texts, "numbers": numbers, "n": texts}]


@given(number=st.floats())
@ENGINE
def test_any_float_comes_back_to_the_bit(engine: Store, number: float) -> None:
    back = engine.arrow("SELECT {x:Float64} AS x", {"x": number}).column("x")[0].as_py()
    assert math.isnan(back) if math.isnan(number) else (back == number and math.copysign(1, back) == math.copysign(1, number))


@given(moment=st.datetimes(datetime(1900, 1, 1), datetime(2299, 1, 1)), hours=st.integers(-14, 14))  # noqa: DTZ001 - hypothesis wants naive bounds
@ENGINE
def test_any_instant_comes_back_in_utc(engine: Store, moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    inside = max(aware, datetime(1900, 1, 1, tzinfo=UTC))
    back = engine.arrow("SELECT {t:DateTime64(6)} AS t", {"t": aware}).column("t")[0].as_py()
    assert back == inside


@given(text=NOISE)
@settings(max_examples=300)
def test_a_literal_is_one_token(text: str) -> None:
    literal = quote(text)
    inside = literal[1:-1]
    assert (literal[0], literal[-1]) == ("'", "'")
    assert "\0" not in literal
    place = 0
    while place < len(inside):  # every quote and backslash inside is escaped
        assert inside[place] != "'"
        place += 2 if inside[place] == "\\" else 1
    assert place == len(inside)


@pytest.mark.parametrize(
    ("sql", "rendered"),
    [
        ("SELECT '{a:String}'", "SELECT '{a:String}'"),
        ('SELECT `{a:String}`, "{a:String}"', 'SELECT `{a:String}`, "{a:String}"'),
        ("SELECT 1 -- {a:String}\n", "SELECT 1 -- {a:String}\n"),
        ("SELECT 1 /* {a:String} */", "SELECT 1 /* {a:String} */"),
        ("SELECT 'it''s {a:String}' , '\\'{a:String}'", "SELECT 'it''s {a:String}' , '\\'{a:String}'"),
    ],
)
def test_quotes_and_comments_are_left_alone(sql: str, rendered: str) -> None:
    assert render(sql, {}) == rendered


@pytest.mark.parametrize(
    ("kind", "value", "literal"),
    [
        ("String", "a", "'a'"),
        ("UInt8", 255, "CAST(255 AS UInt8)"),
        ("UInt8", True, "CAST(1 AS UInt8)"),
        ("Int64", np.int64(-3), "CAST(-3 AS Int64)"),
        ("Float64", np.float32(0.5), "CAST(0.5 AS Float64)"),
        ("Float64", 3, "CAST(3.0 AS Float64)"),
        ("Float64", -math.inf, "CAST(-inf AS Float64)"),
        ("Nullable(UInt8)", None, "CAST(NULL AS Nullable(UInt8))"),
        ("LowCardinality(String)", "x", "CAST('x' AS LowCardinality(String))"),
        ("Array(String)", (), "CAST([] AS Array(String))"),
        ("DateTime", datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC), "CAST('2026-01-02 03:04:05' AS DateTime('UTC'))"),
        ("DateTime64(3)", datetime(2026, 1, 2, tzinfo=UTC), "CAST('2026-01-02 00:00:00.000' AS DateTime64(3, 'UTC'))"),
        ("DateTime64(3, 'UTC')", datetime(1, 1, 1, tzinfo=UTC), "CAST('1900-01-01 00:00:00.000' AS DateTime64(3, 'UTC'))"),
        ("DateTime", datetime(9999, 1, 1, tzinfo=UTC), "CAST('2106-02-07 06:28:15' AS DateTime('UTC'))"),
        ("Date", datetime(2026, 1, 2, 23, tzinfo=UTC), "CAST('2026-01-02' AS Date)"),
    ],
)
def test_literals(kind: str, value: object, literal: str) -> None:
    assert render(f"{{x:{kind}}}", {"x": value}) == literal  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("String", 1, "int does not fit String"),
        ("String", "\ud800", "lone surrogate"),
        ("String", None, "takes no None"),
        ("UInt8", -1, "outside 0 to 255"),
        ("Int8", 128, "outside -128 to 127"),
        ("UInt64", 1.0, "no whole number"),
        ("UInt64", "1", "no whole number"),
        ("Bool", 1, "int does not fit Bool"),
        ("Float64", "1", "str does not fit Float64"),
        ("DateTime", "2026-01-01", "str does not fit DateTime"),
        ("DateTime", datetime(2026, 1, 1), "without a time zone"),  # noqa: DTZ001 - a naive time is what is refused
        ("DateTime('Europe/Berlin')", datetime(2026, 1, 1, tzinfo=UTC), "does not fit"),
        ("Array(String)", "abc", "a list is needed"),
        ("Array(UInt8)", [1, 256], "outside 0 to 255"),
        ("Array(String)", ["a", None], "takes no None"),
        ("Map(String, String)", {"a": "b"}, "does not fit"),
        ("UInt8) + (1", 1, "does not fit"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(kind: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match="parameter 'x'") as refused:
        render(f"SELECT {{x:{kind}}}", {"x": value})  # type: ignore[dict-item]
    assert reason in str(refused.value)


def test_missing_and_unused_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no value for parameter 'a'"):
        render("SELECT {a:UInt8}", {})
    with pytest.raises(ValueError, match="does not name: b, c"):
        render("SELECT {a:UInt8}", {"a": 1, "c": 1, "b": 2})
