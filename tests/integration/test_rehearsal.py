"""`tpscope alerts rehearse` over stored calls: the copy is judged, the store stays as it was."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from core.config import Settings
from core.errors import ConfigError
from storage.calls import count_calls, insert_calls
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, batch
from tpscope.rehearsal import nobody
from tpscope.rehearsing import run_rehearse
from tpscope.replay import replay

FEW = {"kind": "threshold", "name": "few", "metric": "tps", "by": ["service"], "below": 0.12, "window": "5m"}
NEVER = {"kind": "threshold", "name": "never", "metric": "latency_p95", "above": 1e6}


def settings_of(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "store": {"url": f"chdb://{folder / 'store'}"},
            "rules": [FEW, NEVER],
            "routing": {"group_wait": "0s"},
            "detection": {"enabled": False, "min_history": "1m"},
        }
    )


def steady(hours: int) -> list[dict[str, object]]:
    """A call every five seconds."""
    one = {"service": "chat", "provider": "p", "status": 200, "latency_ms": 50.0}
    return [{**one, "ts": START + timedelta(seconds=5 * number)} for number in range(12 * 60 * hours)]


def test_rules_are_rehearsed_on_a_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, rows = settings_of(tmp_path), steady(5)
    with chdb_store(tmp_path) as store:
        insert_calls(store, batch(rows))
    assert run_rehearse(settings, timedelta(hours=1), timedelta(hours=3), 6, 7, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    (fault,), (few, never, _) = found["faults"], found["rules"]
    assert (fault["kind"], fault["selector"], fault["rule"]) == ("drop", {"service": "chat"}, "few")
    assert 0 < fault["delay_s"] < 360
    assert (few["precision"], few["recall"], few["messages"]) == (1.0, 1.0, 1)
    assert (never["precision"], never["recall"], never["pages_a_week"]) == (None, 0.0, 0.0)
    with chdb_store(tmp_path) as store:
        assert count_calls(store, START, START + timedelta(hours=6)) == len(rows)


def test_a_replay_tells_what_the_rules_would_have_told(tmp_path: Path) -> None:
    rows = [row for row in steady(1) if not 30 <= (row["ts"] - START) / timedelta(minutes=1) < 35]  # type: ignore[operator]
    settings = settings_of(tmp_path).model_copy(update={"receivers": (nobody(),)})
    with chdb_store(tmp_path) as store:
        insert_calls(store, batch(rows))
        (told,) = replay(store, settings, START + timedelta(minutes=27), START + timedelta(minutes=42))
    assert told.incident.rule == "few"
    assert timedelta(minutes=30) < told.at - START < timedelta(minutes=36)
    assert told.incident.resolved_at is not None


def test_a_replay_judges_seconds_as_often_as_the_service(tmp_path: Path) -> None:
    failing = {"kind": "threshold", "name": "failing", "metric": "error_rate", "above": 0.5, "min_calls": 10}
    broken, length = START + timedelta(minutes=30, seconds=20), timedelta(minutes=5)
    rows = [{**row, "status": 500 if broken <= row["ts"] < broken + length else 200} for row in steady(1)]  # type: ignore[operator]
    settings = Settings.model_validate({"rules": [failing], "routing": {"group_wait": "0s"}, "detection": {"enabled": False}})
    with chdb_store(tmp_path) as store:
        insert_calls(store, batch(rows))
        heard = settings.model_copy(update={"receivers": (nobody(),)})
        (told,) = replay(store, heard, START + timedelta(minutes=27), START + timedelta(minutes=42))
    assert timedelta(seconds=30) <= told.at - broken <= timedelta(seconds=40), "more than half of a minute's calls"
    assert told.incident.resolved_at is not None


def test_too_little_history_is_one_clear_line(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(ConfigError, match="the store holds no calls"):
        run_rehearse(settings, timedelta(days=1), timedelta(days=1), 3, 7, as_json=True)
