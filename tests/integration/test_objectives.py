"""`tpscope objectives` over stored calls."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from analytics.counting import count_minutes
from core.config import Settings
from core.errors import ConfigError
from storage.calls import insert_calls
from storage.transactions import write_definitions
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, batch
from tpscope.objectives import run_list, run_read, run_show, run_suggest


def settings_of(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "store": {"url": f"chdb://{folder / 'store'}"},
            "objectives": [
                {"name": "errors", "metric": "error_rate", "selector": {"service": "chat"}, "at_most": 0.05},
                {"name": "strict", "metric": "error_rate", "selector": {"service": "chat"}, "at_most": 0.001},
                {"name": "speed", "metric": "latency_p99", "selector": {"service": "chat"}, "at_most": 500},
                {"name": "reach", "metric": "tps", "at_least": 100},
            ],
        }
    )


def test_objectives_are_listed_shown_and_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_of(tmp_path)
    rows = [
        {
            "ts": START + timedelta(minutes=4 * number),
            "service": "chat",
            "status": 503 if number % 50 == 0 else 200,
            "latency_ms": 200.0,
        }
        for number in range(4 * 360)
    ]
    with chdb_store(tmp_path) as store:
        insert_calls(store, batch(rows))
    assert run_list(settings, as_json=True) == 1
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert {name: one["kept"] for name, one in found.items()} == {"errors": True, "strict": False, "speed": True, "reach": None}
    assert found["errors"]["value"] == pytest.approx(0.0201, abs=0.001)
    assert found["errors"]["budget_left"] == pytest.approx(0.6, abs=0.02)
    assert run_show(settings, "errors", as_json=False) == 0
    assert "60% left (29 bad of 72 allowed); burn rates: 0 over 1 h, 0 over 5 min, " in capsys.readouterr().out
    assert run_suggest(settings, as_json=True) == 0
    suggested = json.loads(capsys.readouterr().out)
    assert [(one["metric"], one["at_most"]) for one in suggested] == [("error_rate", 0.05), ("latency_p99", 250.0)]
    Settings.model_validate({"objectives": suggested})


def test_objectives_of_a_transaction_are_judged_by_its_counters_and_suggested_from_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pay = {"name": "pay", "selector": {"route": "/pay"}}
    targets = [
        {"name": "good", "transaction": "pay", "target": "99%", "window": "28d"},
        {"name": "fast", "transaction": "pay", "target": "90%", "under": "250ms", "window": "month"},
        {"name": "rate", "transaction": "pay", "target": "50%", "at_least": 1 / 60},
    ]
    store_url = f"chdb://{tmp_path / 'store'}"
    settings = Settings.model_validate({"store": {"url": store_url}, "transactions": [pay], "objectives": targets})
    rows = [
        {"ts": START + timedelta(minutes=2 * n), "route": "/pay", "status": 429 if n % 50 == 0 else 200,
         "latency_ms": 200.0 if n % 4 else 300.0}
        for n in range(4 * 720)
    ]  # fmt: skip
    end = START + timedelta(days=4)
    with chdb_store(tmp_path) as store:
        insert_calls(store, batch(rows))
        write_definitions(store, settings.definitions, START, 1)
        count_minutes(store, settings, START, end, end, 1)
    assert run_list(settings, as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "good: NOT kept; 98 % of 2,880 calls of pay good over 28d, target 99 %",
        "fast: NOT kept; 74 % of 2,880 calls of pay good within 250ms over this month, target 90 %",
        "rate: kept; 50 % of 5,759 minutes of pay with 0.0166667 calls/s or more over 30d, target 50 %",
    ]
    assert run_show(settings, "fast", as_json=False) == 1
    version = settings.definitions[0].version
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"transaction pay, version {version}; counted since 2026-03-02 00:00 UTC, nothing is known before",
        "error budget of this month (16% of it has passed): 58% left (749 bad of 1,786 allowed); burn rates: 2.67 over 1 h, "
        "0 over 5 min, 2.61 over 6 h, 2 over 30 min, 2.6 over 3 d",
        "as in the last hour the rest is used up in 6 d 17 h",
    ]
    assert run_suggest(settings, as_json=True) == 0
    suggested = [one for one in json.loads(capsys.readouterr().out) if one.get("transaction")]
    assert [(one["name"], one["target"], one.get("under")) for one in suggested] == [
        ("pay-good", "95%", None),
        ("pay-fast", "95%", "400ms"),
    ]
    Settings.model_validate({"transactions": [pay], "objectives": suggested})


def test_an_unknown_name_and_an_empty_store_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no objective 'gone'; known: errors, strict, speed, reach"):
        run_show(settings_of(tmp_path), "gone", as_json=False)
    with pytest.raises(ConfigError, match="the store holds no calls"):
        run_suggest(settings_of(tmp_path), as_json=True)


def test_an_openslo_file_becomes_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "{type: tpscope, spec: {metric: error_rate, selector: {service: chat}}}"
    (tmp_path / "slo.yaml").write_text(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: chat}\nspec:\n"
        f"  indicator: {{spec: {{ratioMetric: {{bad: {{metricSource: {source}}}}}}}}}\n  objectives: [{{target: 0.99}}]\n"
    )
    assert run_read(tmp_path / "slo.yaml", as_json=False) == 0
    read = yaml.safe_load(capsys.readouterr().out)
    assert Settings.model_validate(read).objectives[0].at_most == pytest.approx(0.01)
    with pytest.raises(ConfigError, match="cannot be read"):
        run_read(tmp_path / "none.yaml", as_json=False)
