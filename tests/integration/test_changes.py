"""Changes: found in the calls, noted by people, judged once, and told by command and API."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.before_after import find_changes, run_changes
from core.changes import Change, ChangeKind
from core.clock import FakeClock
from core.config import Settings, TransactionSettings
from core.series import Selector
from dashboards.server import create_app
from render.gate_report import report_json
from storage.calls import insert_calls
from storage.changes import read_changes, read_verdicts, write_changes
from storage.contract import Store
from tests.support.cli import one_line, run_here
from tests.support.in_process import in_process
from tests.support.stores import chdb_store
from tests.unit.storage.batches import at, batch

MINUTE = timedelta(minutes=1)
CHANGE_S = 2 * 3600
SETTINGS = Settings(transactions=(TransactionSettings(name="buy", selector={"service": ("shop",)}),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours; in the last of them shop has a new version, is slower, and a new model answers."""
    folder, rng, rows = tmp_path_factory.mktemp("changes"), np.random.default_rng(1), []
    for second in range(0, 3 * 3600, 2):
        later, shop = second >= CHANGE_S, second % 4 == 0
        rows.append(
            {
                "ts": at(second),
                "service": "shop" if shop else "chat",
                "route": "/buy" if shop else "/ask",
                "provider": "" if shop else "openai",
                "model": "" if shop else ("large-2" if later else "large-1"),
                "status": 200,
                "latency_ms": float(np.exp(rng.normal(0, 0.3))) * 50.0 * (1.5 if later and shop else 1.0),
                "attributes": [("version", "2" if later else "1")] if shop else [],
            }
        )
    with chdb_store(folder) as store:
        insert_calls(store, batch(rows))
    (folder / "tpscope.yaml").write_text(f"store: {{url: 'chdb://{folder / 'store'}'}}\n", encoding="utf-8")
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with chdb_store(folder) as store:
        yield store


def test_new_versions_and_models_are_found_once(store: Store) -> None:
    found = find_changes(store, SETTINGS, at(CHANGE_S - 300), at(CHANGE_S + 600))
    assert {(one.kind, one.what, str(one.selector)) for one in found} == {
        (ChangeKind.DEPLOY, "version 2", 'service="shop"'),
        (ChangeKind.MODEL, "large-2 answers", 'model="large-2",provider="openai"'),
    }
    assert all(one.at - at(CHANGE_S) < timedelta(seconds=5) for one in found)
    assert find_changes(store, SETTINGS, at(CHANGE_S - 300), at(CHANGE_S + 600)) == []
    assert find_changes(store, SETTINGS, at(CHANGE_S + 600), at(CHANGE_S + 900)) == []
    assert find_changes(store, SETTINGS, at(0), at(600)) == []  # the first calls ever are no change


def test_before_and_after_are_judged_once_when_the_calls_tell(store: Store) -> None:
    said = Change(
        id="said", at=at(CHANGE_S), kind=ChangeKind.CONFIG, what="timeouts", selector=Selector.of(service="chat"), who="ann",
        found=False, made_at=at(CHANGE_S),
    )  # fmt: skip
    write_changes(store, [said])
    assert run_changes(store, SETTINGS, at(CHANGE_S) + 10 * MINUTE, 1, report_json) == []
    early = run_changes(store, SETTINGS, at(CHANGE_S) + 18 * MINUTE, 1, report_json)
    late = run_changes(store, SETTINGS, at(CHANGE_S) + 63 * MINUTE, 1, report_json)
    assert run_changes(store, SETTINGS, at(CHANGE_S) + 64 * MINUTE, 1, report_json) == []
    told = [(one.change_id, one.transaction) for one in (*early, *late)]
    assert len(told) == len(set(told))
    deploy = next(one for one in read_changes(store) if one.kind is ChangeKind.DEPLOY)
    outcomes = {(one.change_id, one.transaction): one.outcome for one in (*early, *late)}
    assert outcomes[deploy.id, ""] == outcomes[deploy.id, "buy"] == "regression"
    kept = read_verdicts(store, [deploy.id])
    assert [one.transaction for one in kept] == ["", "buy"]
    assert json.loads(kept[0].report)["outcome"] == "regression"
    assert outcomes.get(("said", ""), "passed") == "passed"
    assert ("said", "buy") not in outcomes  # no call is of both


def test_changes_by_command(folder: Path) -> None:
    config = ("-c", "tpscope.yaml")
    added = run_here(folder, "changes", "add", "shop 4.2", "--selector", 'service="shop"', "--json", *config)
    made = json.loads(added.stdout)
    assert (made["what"], made["kind"], made["selector"]) == ("shop 4.2", "deploy", {"service": "shop"})
    listed = run_here(folder, "changes", "list", *config)
    assert f"{made['id']}  " in listed.stdout
    assert "not judged yet" in listed.stdout
    shown = run_here(folder, "changes", "show", made["id"], *config)
    assert (shown.returncode, "not judged yet" in shown.stdout) == (0, True)
    for words, says in (
        (("show", "nosuch"), "there is no change 'nosuch'"),
        (("add", "x", "--at", "2999-01-01T00:00:00Z"), "lies ahead"),
        (("add", "x", "--selector", "x"), "is no selector"),
        (("add", " "), "needs a word"),
    ):
        assert says in one_line(run_here(folder, "changes", *words, *config))


def test_changes_over_the_api(store: Store) -> None:
    web = FakeClock(at(CHANGE_S + 3600))
    with in_process(create_app(store, Settings(), web, token=None)) as client:
        made = client.post("/api/v1/changes", json={"what": "chat 7", "who": "ann", "selector": {"service": "chat"}})
        assert (made.status_code, made.json()["kind"]) == (201, "deploy")
        listed = client.get("/api/v1/changes", params={"from": at(CHANGE_S - 60).isoformat()}).json()["changes"]
        assert listed[0]["id"] == made.json()["id"]
        found = next(one for one in listed if one["found"] and one["kind"] == "deploy")
        assert found["verdicts"][0]["outcome"] == "regression"
        whole = client.get(f"/api/v1/changes/{found['id']}").json()
        assert whole["reports"][0]["outcome"] == "regression"
        assert client.get("/api/v1/changes/nosuch").status_code == 404
        ahead = {"what": "x", "who": "ann", "at": "2999-01-01T00:00:00Z"}
        assert client.post("/api/v1/changes", json=ahead).status_code == 422
        assert client.post("/api/v1/changes", json={"what": "x", "who": "ann", "selector": {"x": "y"}}).status_code == 400
