"""`tpscope runs`: a load test is tagged, ended and analysed over the store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.capacity import LoadRun
from core.config import Settings
from core.errors import ConfigError
from core.series import ALL_CALLS
from storage.calls import insert_calls
from storage.capacity import write_run
from tests.unit.storage.batches import batch
from tpscope.load_runs import list_runs, start_run, stop_run
from tpscope.reading import reading


def test_a_load_test_is_tagged_and_says_what_it_showed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings.model_validate({"store": {"url": f"chdb://{tmp_path / 'store'}"}})
    assert list_runs(settings, None, as_json=False) == 0
    assert "there are no load tests" in capsys.readouterr().out
    start_run(settings, "soak", 'service="chat"', "release 7")
    with pytest.raises(ConfigError, match="runs already"):
        start_run(settings, "soak", "", "")
    stop_run(settings, "soak")
    with pytest.raises(ConfigError, match="no load test 'soak' runs"):
        stop_run(settings, "soak")
    list_runs(settings, "soak", as_json=False)
    assert "no calls were recorded in it yet" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is no selector"):
        start_run(settings, "other", "service chat", "")

    # Three seconds past a span of ten: the load changes in the midst of one.
    start = datetime.now(UTC).replace(second=3, microsecond=0) - timedelta(minutes=10)
    rows = [
        {"ts": start + timedelta(seconds=second, milliseconds=100 * number), "latency_ms": 50.0,
         "status": 503 if second >= 200 and number % 2 else 200}
        for second in range(300) for number in range(2 if second < 100 else 4 if second < 200 else 6)
    ]  # fmt: skip
    run = LoadRun(id="a", name="steps", selector=ALL_CALLS, note="", started_at=start, ended_at=start + timedelta(seconds=300))
    with reading(settings) as store:
        insert_calls(store, batch(rows))
        write_run(store, run)
    list_runs(settings, "steps", as_json=False)
    said = capsys.readouterr().out
    assert "step 3: 6 calls/s" in said
    assert "broken: 50% errors" in said
    assert "breaking point: 6 calls/s; 4 calls/s still held" in said
    list_runs(settings, "steps", as_json=True)
    assert '"broken": "50% errors"' in capsys.readouterr().out
