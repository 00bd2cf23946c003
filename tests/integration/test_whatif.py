"""`tpscope whatif`: from a file and a store to text, JSON and a picture; mistakes are one line with their place."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.whatif import WhatIf
from storage.calls import insert_calls
from tests.support.cli import one_line, run_here
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch
from tpscope.predicting import predict

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZE = 1200
MOVE = """
name: to b
window: {from: 2026-03-02T12:00:00Z, until: 2026-03-02T13:00:00Z}
moves:
  - {selector: {provider: a}, share: 0.5, to: {provider: %s}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of an hour of calls: provider b answers in half the time; every prompt is asked ten times."""
    where = tmp_path_factory.mktemp("whatif")
    rows = [
        {
            "ts": START + timedelta(seconds=3 * place),
            "status": 200,
            "route": "/chat",
            "provider": "ab"[place % 2],
            "latency_ms": (200.0, 100.0)[place % 2] + place % 7,
            "cost_usd": 0.01,
            "prompt_hash": 1 + place % 120,
            "attributes": [("page", str(place % 40))],
        }
        for place in range(SIZE)
    ]
    with chdb_store(where) as store:
        insert_calls(store, batch(rows))
    return where


def asked(folder: Path, text: str, *options: str) -> tuple[int, str, str]:
    (folder / "scenario.yaml").write_text(text, encoding="utf-8")
    done = run_here(folder, "whatif", "scenario.yaml", "--store", "chdb://./store", *options)
    return done.returncode, done.stdout, done.stderr


def test_a_move_is_predicted_and_drawn(folder: Path) -> None:
    code, out, _ = asked(folder, MOVE % "b", "--json", "--picture", "out.png")
    found = json.loads(out)
    metrics = {one["name"]: one for one in found["metrics"]}
    assert code == 0
    assert found["calls"] == SIZE
    assert metrics["concurrency"]["after"] < metrics["concurrency"]["before"]
    assert metrics["cost_per_h"]["after"] == pytest.approx(12.0)
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = asked(folder, MOVE % "b")
    assert (code, "Latency P95" in out, "Taken for granted:" in out) == (0, True, True)


def test_what_cannot_be_answered_exits_with_1(folder: Path) -> None:
    code, out, _ = asked(folder, MOVE % "nobody")
    assert code == 1
    assert "cannot be answered" in out


def test_a_sample_keeps_all_calls_of_some_keys_and_a_limit_counts_every_call(folder: Path) -> None:
    what = WhatIf.model_validate(
        {
            "window": {"from": "2026-03-02T12:00:00Z", "until": "2026-03-02T13:00:00Z"},
            "caches": [{"key": ["route", "attributes.page"], "ttl": "2h", "entries": 1000}],
        }
    )
    limit = WhatIf.model_validate({**what.model_dump(by_alias=True), "caches": [], "rate_limits": [{"rate": 1, "burst": 1}]})
    with chdb_store(folder) as store:
        refused = predict(store, limit, START, most_calls=601)
        whole, part = (predict(store, what, START, most_calls=most) for most in (10_000, 601))
    repeating = pytest.approx(1 - 40 / SIZE, abs=0.01)
    assert (whole.sampled, part.sampled) == (1.0, 0.5)
    assert whole.metric("cache_hit_rate").after == repeating
    assert part.calls % (SIZE // 40) == 0
    assert "choose a shorter window" in refused.refusals[0]
    assert part.metric("cache_hit_rate").after == repeating


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "window: {last: 1d}\ncaches:\n  - {tll: 1h}\n",
            "bad.yaml:3: caches.0.tll: unknown key 'tll'; did you mean 'ttl'?",
        ),
        ("window: {last: 1d}\n", "nothing would change"),
        ("moves:\n  - share: 2\n    to: {provider: b}\n", "bad.yaml:2: moves.0.share"),
        ("caches: [\n", "is no valid YAML"),
        ("window: {last: 1d, from: 2026-03-02T12:00:00Z}\ncaches: [{}]\n", "give either `last`"),
    ],
)
def test_mistakes_are_named_with_file_line_and_reason(folder: Path, text: str, words: str) -> None:
    (folder / "bad.yaml").write_text(text, encoding="utf-8")
    assert words in one_line(run_here(folder, "whatif", "bad.yaml", "--store", "chdb://./store"))
