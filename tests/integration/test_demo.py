"""`tpscope demo`, from an empty directory to the end of its first incident, with the clock running faster."""

import json
import re
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.support.cli import run, running
from tests.support.wait import wait_until

pytestmark = pytest.mark.tansu


def test_the_demo_tells_its_first_incident_once_and_its_end_once(tmp_path: Path) -> None:
    log, folder = tmp_path / "demo.log", tmp_path / "demo"
    options = ("--dir", str(folder), "--port", "0", "--calls", "4d", "--hours", "3w", "--speed", "6")
    with running(tmp_path, "demo", *options, log=log) as process:

        def says(pattern: str, timeout_s: float) -> str:
            wait_until(lambda: bool(re.search(pattern, log.read_text())) or process.poll() is not None, timeout_s, pattern)
            found = re.search(pattern, log.read_text())
            assert found, log.read_text()
            return found[found.re.groups]

        address = says(r"pages are ready: (http://127\.0\.0\.1:\d+)", 120)
        assert httpx.get(address + "/readyz", timeout=60).status_code == 200
        says("scripted incident begins Payment provider stripe", 60)
        alert = says("webhook ALERT (.*)", 60)
        assert "stripe" in log.read_text().split("webhook ALERT")[1]
        exported = run(tmp_path, "export", "forecasts", "--to", "x.csv", "--store", f"chdb://{folder}")
        assert exported.returncode == 0, exported.stderr
        says("scripted incident ends", 90)
        says("webhook RESOLVED", 120)
        text = log.read_text()
        incidents = httpx.get(address + "/api/v1/incidents", timeout=60).json()
        status = json.loads(run(tmp_path, "status", "--json", "--store", f"chdb://{folder}").stdout)
    assert process.returncode == 0, log.read_text()
    assert text.count("webhook ALERT") == 1, text
    assert text.count("webhook RESOLVED") == 1, text
    assert text.index("incident begins") < text.index("webhook ALERT") < text.index("webhook RESOLVED")
    assert alert
    assert incidents
    assert status["engine"] == "remote"
    assert {mark["topic"] for mark in status["watermarks"]} == {"gateway-calls"}
    check_export(tmp_path / "x.csv")


def check_export(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert any("tps in calls/s" in line for line in lines if line.startswith("#"))
    forecast = pd.read_csv(path, comment="#")
    assert {"timestamp_utc", "metric", "selector", "unit", "mean", "q05", "q50", "q95"} <= set(forecast.columns)
    overall = forecast[(forecast.metric == "tps") & forecast.selector.isna()]
    assert len(overall) == 28 * 24
    assert overall["q05"].le(overall["q50"]).all()
    assert overall["q50"].le(overall["q95"]).all()


def test_a_directory_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    result = run(tmp_path, "demo", "--dir", "mine", "--port", "0")
    assert result.returncode == 2
    assert "mine holds something else" in result.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
