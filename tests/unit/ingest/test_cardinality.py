"""The bound on a column's values: what is let through, what becomes `__other__`, and that nothing else changes."""

import logging
import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from core.config import CardinalitySettings
from core.record import DIMENSIONS, OTHER
from ingest.cardinality import CardinalityGuard, build_guard
from ingest.formats import build_format
from ingest.paths import PathTemplates
from tests.unit.ingest.builders import encoded, record

_columns = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", OTHER]), max_size=30)


def rows(**columns: list[str]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def refused(column: str) -> float:
    return REGISTRY.get_sample_value("tpscope_ingest_other_values_total", {"column": column}) or 0.0


@given(batches=st.lists(_columns, max_size=5), limit=st.integers(1, 4), dictionaries=st.booleans())
def test_never_more_than_the_limit_and_never_another_value(batches: list[list[str]], limit: int, dictionaries: bool) -> None:
    guard = CardinalityGuard({"tenant": limit})
    before = refused("tenant")
    seen: set[str] = set()
    others = 0
    for values in batches:
        table = rows(tenant=values, route=values)
        if dictionaries:
            chunks = [
                pa.array(values[:7], pa.string()).dictionary_encode(),
                pa.array(values[7:], pa.string()).dictionary_encode(),
            ]
            table = table.set_column(0, "tenant", pa.chunked_array(chunks))
        made = guard.apply(table)
        assert made.schema == table.schema
        assert made.column("route").equals(table.column("route"))  # not bounded here
        after = made.column("tenant").to_pylist()
        for given_value, kept in zip(values, after, strict=True):
            assert kept in (given_value, OTHER)
            if given_value in seen or given_value == "":
                assert kept == given_value  # what was let through once always is
            others += kept == OTHER and given_value != OTHER
        seen |= set(after) - {"", OTHER}
        assert len(seen) == guard.known["tenant"] <= limit
        # Values are turned away only when there is no room.
        assert OTHER not in set(after) - set(values) or len(seen) == limit
    assert refused("tenant") - before == others


def test_of_new_values_the_frequent_ones_are_let_through() -> None:
    guard = CardinalityGuard({"route": 2})
    made = guard.apply(rows(route=["/rare", "/b", "/b", "/c", "/c", "/c"]))
    assert made.column("route").to_pylist() == [OTHER, "/b", "/b", "/c", "/c", "/c"]


def test_seeding_keeps_the_most_used_and_forgets_the_rest() -> None:
    guard = CardinalityGuard({"route": 2, "tenant": 2})
    guard.apply(rows(route=["/old", "/older"], tenant=["t", "u"]))
    guard.seed({"route": ["/a", "", "/b", "/c"], "unknown": ["x"]})
    assert guard.known == {"route": 2, "tenant": 2}
    made = guard.apply(rows(route=["/a", "/old", "/b", "/c"], tenant=["t", "v", "u", ""]))
    assert made.column("route").to_pylist() == ["/a", OTHER, "/b", OTHER]
    assert made.column("tenant").to_pylist() == ["t", OTHER, "u", ""]


def test_a_full_column_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = CardinalityGuard({"region": 1})
    with caplog.at_level(logging.WARNING, "ingest.cardinality"):
        for number in range(5):
            guard.apply(rows(region=["eu", f"r{number}"]))
    assert len(caplog.records) == 1
    assert "cardinality.region" in caplog.text
    assert "r3" not in caplog.text  # values may be anything


def test_routes_are_templates_before_they_are_counted() -> None:
    guard = CardinalityGuard({"route": 1}, PathTemplates())
    made = guard.apply(rows(route=[f"/users/{number}" for number in range(100)]))
    assert set(made.column("route").to_pylist()) == {"/users/{id}"}
    as_given = CardinalityGuard({"route": 10}).apply(rows(route=["/users/8123"]))
    assert as_given.column("route").to_pylist() == ["/users/8123"]


def test_decoded_records_keep_their_schema_and_all_other_columns() -> None:
    decoded = (
        build_format("tpscope", {}).decode(encoded(*(record(route=f"/users/{n}", tenant=f"t{n}") for n in range(50)))).rows
    )
    settings = CardinalitySettings(tenant=10)
    made = build_guard(settings).apply(decoded)
    assert made.schema == decoded.schema
    assert made.drop_columns(["route", "tenant"]).equals(decoded.drop_columns(["route", "tenant"]))
    assert made.column("tenant").to_pylist().count(OTHER) == 40
    assert build_guard(settings).apply(decoded.slice(0, 0)).num_rows == 0
    assert build_guard(CardinalitySettings(template_paths=False)).apply(decoded).equals(decoded)


def test_there_is_a_limit_for_every_open_dimension() -> None:
    assert set(CardinalitySettings().limits) == set(DIMENSIONS) - {"kind"}


def test_several_threads_keep_the_limit_together() -> None:
    guard = CardinalityGuard({"tenant": 50})
    kept: list[set[str]] = [set() for _ in range(4)]

    def work(which: int) -> None:
        for batch in range(20):
            made = guard.apply(rows(tenant=[f"t{which}-{batch}-{number}" for number in range(10)]))
            kept[which] |= set(made.column("tenant").to_pylist()) - {OTHER}

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set.union(*kept)) == guard.known["tenant"] == 50
