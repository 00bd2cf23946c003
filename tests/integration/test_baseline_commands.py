"""`tpscope baseline` and `tpscope masks` over an embedded store."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.masks import MaskKind
from core.series import Selector
from storage.anomalies import read_anomalies, write_anomalies
from storage.calls import insert_calls
from storage.masks import read_masks
from tests.support.stores import chdb_store
from tests.unit.core.test_masks import CHAT, anomaly
from tests.unit.storage.batches import START, at, batch
from tpscope.cli import app

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def run(folder: Path, *words: str, exits: int = 0) -> Any:
    """A command over the store below `folder`; its JSON."""
    configuration = folder / "tpscope.yaml"
    result = CliRunner().invoke(app, [*words, "--config", str(configuration), "--json"], standalone_mode=False)
    if exits == 2:
        return result.exception
    assert result.exception is None, result.output
    assert result.return_value == exits
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two hours, in the second of which chat is slower and fails more often."""
    folder = tmp_path_factory.mktemp("frozen")
    with chdb_store(folder) as store:
        rows = []
        for second in range(7200):
            later = second >= 3600
            latency = (150.0 if later else 100.0) * (1 + (second * 7919 % 100) / 200)
            failed = second % (10 if later else 100) == 0
            rows.append({"ts": at(second), "service": "chat", "status": 500 if failed else 200, "latency_ms": latency})
        insert_calls(store, batch(rows))
        write_anomalies(store, [replace(anomaly(0, 5), started_at=START, last_at=START + 5 * MINUTE, ended_at=START + HOUR)], 1)
    write_configuration(folder, "2xx")
    return folder


def write_configuration(folder: Path, statuses: str) -> None:
    (folder / "tpscope.yaml").write_text(
        f"store: {{url: 'chdb://{folder / 'store'}'}}\n"
        f"transactions: [{{name: pay, selector: {{service: chat}}, success: {{statuses: [{statuses}]}}}}]\n",
        encoding="utf-8",
    )


def span(first_h: float, last_h: float) -> str:
    return "..".join((START + hours * HOUR).isoformat() for hours in (first_h, last_h))


def test_a_release_is_compared_with_what_was_frozen_before(folder: Path) -> None:
    frozen = run(folder, "baseline", "freeze", "before-42", "--window", span(0, 1), "--selector", 'service="chat"')
    assert (frozen["calls"], frozen["selector"]) == (3600, {"service": "chat"})
    assert [one["name"] for one in run(folder, "baseline", "list")["baselines"]] == ["before-42"]
    found = run(folder, "baseline", "compare", "before-42", span(1, 2), exits=1)
    changes = {one["metric"]: one for one in found["changes"]}
    for metric, ratio in (("latency_p50", 1.5), ("latency_p99", 1.5), ("error_rate", 10.0)):
        one = changes[metric]
        assert (one["verdict"], one["worse"]) == ("higher", True), metric
        assert one["after"] / one["before"] == pytest.approx(ratio, rel=0.05)
        assert one["lower"] <= one["difference"] <= one["upper"]
    assert changes["error_rate"]["p_value"] < 1e-9
    assert changes["tps"]["verdict"] == "unchanged"
    assert changes["cost_per_h"]["before"] is None
    same = run(folder, "baseline", "compare", span(0, 0.5), span(0.5, 1))
    assert not any(one["worse"] for one in same["changes"])


def test_two_versions_of_a_transaction_are_refused_with_the_reason(folder: Path) -> None:
    run(folder, "baseline", "freeze", "strict", "--window", span(0, 1), "--transaction", "pay")
    assert run(folder, "baseline", "compare", "strict", span(1, 2), exits=1)["after"]["transaction"] == "pay"
    write_configuration(folder, "2xx, 5xx")
    refused = run(folder, "baseline", "compare", "strict", span(1, 2), exits=2)
    write_configuration(folder, "2xx")
    assert "cannot be compared with version" in str(refused)
    assert "another successful statuses" in str(refused)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("baseline", "freeze", "a b", "--window", span(0, 1)), "is no name"),
        (("baseline", "freeze", "x", "--window", span(1, 0)), "must have its start before its end"),
        (("baseline", "freeze", "x", "--window", span(0, 0.1)), "at least 10 minutes"),
        (("baseline", "freeze", "x", "--window", span(5, 6)), "there is no call of all traffic"),
        (("baseline", "freeze", "x", "--window", span(0, 1), "--transaction", "nosuch"), "is no transaction; known are: pay"),
        (("baseline", "compare", "nosuch", span(0, 1)), "there is no baseline 'nosuch'"),
        (("masks", "end", "nosuch"), "there is no mask 'nosuch'"),
        (("masks", "add", "--kind", "expected", "--why", "x", "--anomaly", "nosuch"), "there is no anomaly 'nosuch'"),
        (("masks", "add", "--kind", "expected", "--why", "x", "--selector", "nonsense"), "is no selector"),
        (("masks", "add", "--kind", "expected", "--why", "x", "--until", "2020-01-01T00:00:00Z"), "must lie after the start"),
    ],
)
def test_bad_input_is_one_line(folder: Path, words: tuple[str, ...], says: str) -> None:
    refused = run(folder, *words, exits=2)
    assert says in str(refused)
    assert "\n" not in str(refused)


def test_masks_by_command(folder: Path) -> None:
    made = run(folder, "masks", "add", "--kind", "maintenance", "--why", "new disks", "--anomaly", "a")
    assert (made["anomalies"], made["selector"]) == (["a"], CHAT.labels)
    assert datetime.fromisoformat(made["end"]) == START + 6 * MINUTE
    now = datetime.now(UTC)
    window = run(folder, "masks", "add", "--kind", "maintenance", "--why", "move", "--until", (now + HOUR).isoformat())
    assert [one["id"] for one in run(folder, "masks", "list")["masks"]] == [window["id"]]
    assert {one["id"] for one in run(folder, "masks", "list", "--all")["masks"]} == {made["id"], window["id"]}
    ended = run(folder, "masks", "end", window["id"])
    assert datetime.fromisoformat(ended["end"]) < now + MINUTE
    run(folder, "masks", "end", made["id"], "--withdraw")
    with chdb_store(folder) as store:
        assert {one.kind for one in read_masks(store, datetime(2000, 1, 1, tzinfo=UTC))} == {MaskKind.MAINTENANCE}
        (kept,) = read_anomalies(store, START, START + HOUR)
        assert (kept.mask_id, kept.muted) == ("", False)
        assert kept.selector == Selector.of(service="chat")
