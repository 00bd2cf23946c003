"""`tpscope gate` over an embedded store and over files."""

import json
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from analytics.gating.counting import CallCounter
from core.capacity import LoadRun
from core.prices import PriceTable, TokenPrice
from core.record import RECORD_SCHEMA
from core.series import Selector
from storage.calls import insert_calls
from storage.capacity import write_run
from storage.frozen import list_frozen
from storage.mixes import read_frozen_mix, read_mix, write_frozen_mix
from storage.prices import write_prices
from tests.support.cli import one_line, run_here
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, at, batch

HOUR, WEEK_S = timedelta(hours=1), 7 * 86_400


def rows(first_s: int, count: int, factor: float, seed: int, failing: float = 0.002) -> list[dict[str, object]]:
    """An hour of calls of two routes, one of prompts."""
    rng = np.random.default_rng(seed)
    made = list[dict[str, object]]()
    for number in range(count):
        prompt = number % 5 == 0
        tokens = int(rng.integers(100, 2000))
        latency = factor * float(np.exp(rng.normal(0, 0.4))) * (400.0 + tokens if prompt else 30.0)
        made.append(
            {
                "ts": at(first_s + number * 3600 / count),
                "service": "chat" if prompt else "shop",
                "route": "/ask" if prompt else "/cart",
                "method": "POST",
                "status": 500 if rng.random() < failing else 200,
                "latency_ms": latency,
                "ttft_ms": latency / 4 if prompt else None,
                "prompt_tokens": tokens if prompt else None,
                "completion_tokens": 50 if prompt else None,
                "provider": "openai" if prompt else "",
            }
        )
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two like hours, a slow one, and the same hour of the week before."""
    folder = tmp_path_factory.mktemp("gate")
    hours = [rows(0, 2500, 1.0, 1), rows(3600, 2500, 1.0, 2), rows(7200, 2500, 1.3, 3, 0.05), rows(WEEK_S, 2500, 1.0, 4)]
    with chdb_store(folder) as store:
        write_prices(store, PriceTable((TokenPrice(provider="openai", model="*", input=1.0, output=4.0),)), START, 1)
        for number, some in enumerate(hours):
            insert_calls(store, batch(some, 10_000 * number))
        run = LoadRun(id="r1", name="load", selector=Selector(), note="", started_at=at(7200), ended_at=at(10_800))
        write_run(store, run)
    (folder / "tpscope.yaml").write_text(
        f"store: {{url: 'chdb://{folder / 'store'}'}}\n"
        "transactions: [{name: buy, selector: {service: [shop]}, success: {max_latency: 60ms}}]\n"
        "objectives:\n"
        "- {name: shop-p95, metric: latency_p95, selector: {service: shop}, at_most: 65}\n"
        "- {name: buy-good, transaction: buy, target: 90%}\n"
        "- {name: buy-fast, transaction: buy, target: 90%, under: 45ms}\n"
        "- {name: buy-tps, transaction: buy, target: 90%, at_least: 1}\n",
        encoding="utf-8",
    )
    for name, some in zip(("a", "b", "slow"), hours, strict=False):
        lines = [json.dumps({key: value for key, value in row.items() if value is not None}, default=str) for row in some]
        (folder / f"{name}.ndjson").write_text("\n".join(lines), encoding="utf-8")
    return folder


def span(first_h: float, last_h: float) -> str:
    return "..".join((START + hours * HOUR).isoformat() for hours in (first_h, last_h))


def test_the_store_counts_what_the_calls_themselves_say_and_freezes_it(folder: Path) -> None:
    table = PriceTable((TokenPrice(provider="openai", model="*", input=1.0, output=4.0),))
    counter = CallCounter(prices=table)
    counter.add(batch(rows(0, 2500, 1.0, 1)).select(RECORD_SCHEMA.names))
    expected = counter.mix("a")
    with chdb_store(folder) as store:
        found = read_mix(store, START, START + HOUR)
        assert found is not None
        write_frozen_mix(store, found, "kept")
        kept = read_frozen_mix(store, "kept")
        assert read_frozen_mix(store, "nosuch") is None
        assert read_mix(store, START - HOUR, START) is None
    assert kept is not None
    for one in (found, kept):
        place = [one.strata.index(stratum) for stratum in expected.strata]
        assert len(one.strata) == len(expected.strata)
        for name in ("calls", "known", "errors", "rate_limited", "priced", "cost_usd"):
            assert getattr(one, name).sum(axis=0)[place] == pytest.approx(getattr(expected, name).sum(axis=0)), name
        for measure in ("latency", "ttft"):
            mine, other = getattr(one, measure), getattr(expected, measure)
            assert np.sort(np.repeat(mine.value, mine.calls.astype(int))) == pytest.approx(
                np.sort(np.repeat(other.value, other.calls.astype(int)))
            )
            assert mine.calls.sum() == other.calls.sum()


def test_a_like_hour_passes_and_a_slow_one_fails_in_every_form(folder: Path) -> None:
    passed = run_here(folder, "gate", "-c", "tpscope.yaml", "--candidate", span(1, 2), "--against", span(0, 1))
    assert passed.returncode == 0, passed.stdout
    assert passed.stdout.startswith("gate passed")
    forms = ("--junit", "gate.xml", "--markdown", "gate.md", "--picture-url", "https://ci/gate.png")
    failed = run_here(folder, "gate", "-c", "tpscope.yaml", "--candidate", "load", "--against", span(0, 1), "--json", *forms)
    assert failed.returncode == 1, failed.stderr
    found = json.loads(failed.stdout)
    assert (found["outcome"], found["exit"]) == ("regression", 1)
    worse = {one["metric"] for one in found["metrics"] if one["verdict"] == "regression"}
    assert {"route_p95", "latency_p50", "error_rate"} <= worse
    assert next(one for one in found["metrics"] if one["metric"] == "tps")["verdict"] != "not judged"
    suite = ElementTree.parse(folder / "gate.xml").getroot()[0]
    assert {case.get("name") for case in suite if case.find("failure") is not None} == worse
    assert int(suite.get("failures", "0")) == len(worse)
    summary = (folder / "gate.md").read_text(encoding="utf-8")
    assert "failed: it got worse" in summary
    assert "(https://ci/gate.png)" in summary
    with Image.open(folder / "gate.png") as picture:
        assert (picture.format, picture.size[0]) == ("PNG", 1000)


def test_against_a_frozen_baseline_of_a_transaction_and_the_hours_of_weeks_before(folder: Path) -> None:
    config = ("-c", "tpscope.yaml")
    frozen = run_here(folder, "baseline", "freeze", "first", "--window", span(0, 1), "--transaction", "buy", *config)
    assert frozen.returncode == 0, frozen.stderr
    with chdb_store(folder) as store:
        assert "first" in list(list_frozen(store)["name"])
    slow = run_here(folder, "gate", *config, "--candidate", span(2, 3), "--against", "first", "--json")
    found = json.loads(slow.stdout)
    assert (slow.returncode, found["candidate"]["transaction"]) == (1, "buy")
    weekly = run_here(folder, "gate", *config, "--candidate", span(WEEK_S / 3600, WEEK_S / 3600 + 1), "--against", "same-hours")
    assert weekly.returncode == 0, weekly.stdout + weekly.stderr
    assert "the same hours of 1 weeks" in weekly.stdout or "2026-03-02 00:00" in weekly.stdout


def test_files_are_judged_without_a_store_and_an_objective_counts(folder: Path) -> None:
    nowhere = ("--store", "clickhouse://nobody@127.0.0.1:1/db", "-c", "tpscope.yaml", "--objective", "shop-p95")
    passed = run_here(folder, "gate", "--candidate", "b.ndjson", "--against", "a.ndjson", *nowhere)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    failed = run_here(folder, "gate", "--candidate", "slow.ndjson", "--against", "a.ndjson", *nowhere)
    assert failed.returncode == 1
    assert "objective shop-p95 is broken" in failed.stdout


def test_an_objective_of_a_transaction_is_judged_by_its_own_rule_and_its_latency(folder: Path) -> None:
    promises = ("--objective", "buy-good", "--objective", "buy-fast")
    sides = ("--candidate", span(1, 2), "--against", span(0, 1))
    told = run_here(folder, "gate", "-c", "tpscope.yaml", *sides, *promises, "--json")
    found = {one["name"]: one for one in json.loads(told.stdout)["objectives"]}
    shop = [one for one in rows(3600, 2500, 1.0, 2) if one["service"] == "shop"]

    def bad(limit_ms: float) -> float:
        return sum(one["status"] != 200 or float(str(one["latency_ms"])) > limit_ms for one in shop) / len(shop)

    assert told.returncode == 1, told.stdout
    assert (found["buy-good"]["kept"], found["buy-fast"]["kept"]) == (True, False)
    assert found["buy-good"]["value"] == pytest.approx(bad(60.0))
    assert found["buy-fast"]["value"] == pytest.approx(bad(45.0))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--candidate", span(1, 2), "--against", span(0, 1), "--objective", "buy-tps"), "is of minutes, not of calls"),
        (("--candidate", "b.ndjson", "--against", "a.ndjson", "--objective", "buy-good"), "give the candidate as a window"),
        (("--candidate", "nosuch", "--against", "a.ndjson"), "is no file, load test, window or frozen baseline"),
        (("--candidate", "no.ndjson", "--against", "a.ndjson"), "there is no file 'no.ndjson'"),
        (("--candidate", "same-hours", "--against", "a.ndjson"), "give it to --against"),
        (("--candidate", "tpscope.yaml", "--against", "a.ndjson"), "suffix that is not known"),
        (("--candidate", "b.ndjson", "--against", "a.ndjson", "--objective", "x"), "known: shop-p95, buy-good"),
        (("--candidate", "b.ndjson", "--against", "a.ndjson", "--transaction", "buy"), "import it first"),
        (("--candidate", "b.ndjson", "--against", "a.ndjson", "--selector", 'service="x"'), "holds no call of service x"),
        (("--candidate", "b.ndjson", "--against", "a.ndjson", "--junit", "no/x.xml"), "cannot be written"),
        (("--candidate", span(0, 0.01), "--against", span(0, 1)), "shorter than a minute"),
        (("--candidate", span(0, 1), "--against", "same-hours"), "no call is kept of the same hours"),
        (("--candidate", span(1, 2), "--against", span(0, 2)), "own calls of 2026-03-02 01:00 to 2026-03-02 02:00 UTC"),
        (("--candidate", "load", "--against", span(0, 3), "--against-selector", ""), "the candidate's own calls"),
        (("--candidate", "./a.ndjson", "--against", "a.ndjson"), "is the candidate's own file"),
    ],
)
def test_bad_input_is_one_line(folder: Path, words: tuple[str, ...], says: str) -> None:
    assert says in one_line(run_here(folder, "gate", "-c", "tpscope.yaml", *words))


def test_sides_of_one_time_are_compared_where_no_call_can_be_of_both(folder: Path) -> None:
    sides = ("--selector", 'route="/ask"', "--against-selector", 'route="/cart"')
    for one, other in ((span(0, 1), span(0, 1)), ("a.ndjson", "a.ndjson")):
        told = run_here(folder, "gate", "-c", "tpscope.yaml", "--candidate", one, "--against", other, *sides)
        assert told.returncode == 2, told.stderr
        assert told.stdout.startswith("gate cannot judge"), told.stdout
