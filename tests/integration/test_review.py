"""`tpscope review`: every number is what a query of the store gives; the page stands alone."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.series import Selector
from core.types import SeriesRequest
from storage.calls import insert_calls
from storage.contract import Store
from storage.series import read_series
from storage.spans import read_spans
from tests.support.cli import one_line, run_here
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
SIZE = 6000
CONFIG = """
objectives:
  - {name: fast, metric: latency_p95, selector: {service: chat}, at_most: 150}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks; in the second the route /chat takes twice as long, and costs more."""
    where = tmp_path_factory.mktemp("review")
    rows = []
    for place in range(SIZE):
        at = START + 2 * WEEK * (place / SIZE)
        later = at >= START + WEEK
        chat = place % 2 == 0
        rows.append(
            {
                "ts": at,
                "status": 500 if place % 50 == 7 else 200,
                "service": "chat" if chat else "shop",
                "route": "/chat" if chat else "/orders",
                "tenant": f"t{place % 3}",
                "model": "m" if chat else "",
                "latency_ms": (100.0 + place % 11) * (2.0 if chat and later else 1.0),
                "cost_usd": 0.02 + 0.01 * later if chat else None,
            }
        )
    with chdb_store(where) as store:
        insert_calls(store, batch(rows))
    (where / "tpscope.yaml").write_text(CONFIG, encoding="utf-8")
    return where


def asked(folder: Path, *options: str) -> str:
    done = run_here(folder, "review", "--config", "tpscope.yaml", "--store", "chdb://./store", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_number_equals_a_query(folder: Path) -> None:
    found = json.loads(asked(folder, "--until", "2026-03-16T00:00:00Z", "--json"))
    start, end = (datetime.fromisoformat(found[name]) for name in ("from", "to"))
    assert (start, end) == (START + WEEK, START + 2 * WEEK)
    parts = [one for name in ("totals", "worse", "better", "slowest", "costliest") for one in found[name]]
    assert len(parts) > 15
    with chdb_store(folder) as store:
        for metric, of in {(one["metric"], tuple(one["of"].items())) for one in parts}:
            now, before = asked_directly(store, metric, [(start, end), (START, start)], Selector.of(dict(of)))
            for one in (one for one in parts if (one["metric"], tuple(one["of"].items())) == (metric, of)):
                assert (one["value"], one["before"]) == (pytest.approx(now), pytest.approx(before)), one
        days = read_series(store, SeriesRequest(metric="tps", start=START, end=end, step_s=86_400))
        assert [value for _, value in found["days"]] == pytest.approx(days["value"].tolist())
        [fast] = found["objectives"]
        assert [fast["value"]] == asked_directly(store, "latency_p95", [(start, end)], Selector.of(service="chat"))
    assert fast["kept"] is False


def asked_directly(store: Store, metric: str, spans: list[tuple[datetime, datetime]], of: Selector) -> list[float]:
    """The value of each span, by the query that gives the metric of a span (costs: by the day, as series have them)."""
    if metric != "cost_per_h":
        return [float(value) for value in read_spans(store, metric, spans, of)["value"]]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    request = SeriesRequest(metric=metric, start=first, end=last, step_s=86_400, selector=of)
    days = read_series(store, request)
    return [float(days["value"][(days["ts"] >= start) & (days["ts"] < end)].mean()) for start, end in spans]


def test_what_got_worse_leads_and_the_page_stands_alone(folder: Path) -> None:
    words = asked(folder, "--until", "2026-03-16T12:00:00Z", "--to", "out.html")
    assert "worse: Latency P95, service chat" in words
    assert "0 of 1 objectives kept; missed: fast" in words
    page = (folder / "out.html").read_text("utf-8")
    assert "Worse than before" in page
    assert not re.search(r"(?:src|href)=|<script", page)


def test_another_ending_is_refused(folder: Path) -> None:
    assert "must end in .html" in one_line(run_here(folder, "review", "--to", "x.pdf", "--store", "chdb://./store"))
