"""The command line as a user meets it: what works, and the one line for each bad input."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.support.cli import one_line, run, run_here, running
from tests.support.wait import wait_until


def test_an_unknown_configuration_key(tmp_path: Path) -> None:
    (tmp_path / "tpscope.yaml").write_text("kafka: {topics: a}\n")
    line = one_line(run(tmp_path, "config", "check", "--config", "tpscope.yaml"))
    assert line == "tpscope: tpscope.yaml:1: kafka.topics: unknown key 'topics'; did you mean 'topic'?"


def test_a_valid_configuration(tmp_path: Path) -> None:
    (tmp_path / "tpscope.yaml").write_text("kafka: {topic: a}\n")
    result = run_here(tmp_path, "config", "check", "--config", "tpscope.yaml")
    assert result.returncode == 0
    assert "valid" in result.stdout
    shown = json.loads(run_here(tmp_path, "config", "show", "--config", "tpscope.yaml").stdout)
    assert shown["kafka"]["topic"] == "a"
    assert json.loads(run_here(tmp_path, "config", "schema").stdout)["additionalProperties"] is False


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    variables = {"TPSCOPE_KAFKA__BROKERS": "127.0.0.1:1", "TPSCOPE_KAFKA__CONNECT_TIMEOUT": "1s", "TPSCOPE_WEB__PORT": "0"}
    result = run(tmp_path, "serve", "--log-level", "ERROR", env=variables)
    line = one_line(result)
    assert "127.0.0.1:1" in line
    assert "kafka.brokers" in line


def test_an_empty_file_an_absent_file_and_an_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").write_text("")
    (tmp_path / "logs.txt").write_text("x")
    assert "empty.ndjson" in one_line(run_here(tmp_path, "import", "empty.ndjson"))
    assert "absent.csv" in one_line(run_here(tmp_path, "import", "absent.csv"))
    assert "logs.txt" in one_line(run_here(tmp_path, "import", "logs.txt"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("demo", "--scenario", "nope"), "choose from edgestream, marketflow, securewealth"),
        (("export", "series", "--metric", "tpss", "--to", "x.csv"), "'tpss' is no metric"),
        (("export", "calls", "--from", "yesterday", "--to", "x.csv"), "'yesterday' is no time"),
        (("export", "calls", "--to", "x.doc"), "x.doc"),
        (("export", "calls", "--last", "5y", "--to", "x.csv"), "'5y' is no duration"),
        (("export", "calls", "--last", "99999999999999d", "--to", "x.csv"), "'99999999999999d' is longer than any time"),
        (("export", "calls", "--last", "900000d", "--to", "x.csv"), "'900000d' is longer than 36,525 days"),
        (("export", "calls", "--selector", "colour=red", "--to", "x.csv"), "no selector"),
        (("export", "forecasts", "--to", "x.csv"), "no forecast"),
        (("status", "--store", "mysql://h/d"), "must start with chdb://"),
        (("serve", "--role", "web"), "every role"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in one_line(run_here(tmp_path, *arguments))


def test_simulate_import_export_status(tmp_path: Path) -> None:
    simulated = run_here(tmp_path, "simulate", "--to", "past.ndjson", "--rate", "10", "--last", "30m")
    assert simulated.returncode == 0, simulated.stderr
    records = [json.loads(line) for line in (tmp_path / "past.ndjson").read_text().splitlines()]
    truth = json.loads((tmp_path / "past.ndjson.truth.json").read_text())
    assert truth[0]["kind"] == "outage"
    assert run_here(tmp_path, "import", "past.ndjson").returncode == 0
    again = run_here(tmp_path, "import", "past.ndjson")
    assert again.returncode == 0
    report = json.loads(run_here(tmp_path, "status", "--json").stdout)
    assert report["calls"] == len(records)
    exported = run_here(tmp_path, "export", "calls", "--last", "2h", "--to", "calls.parquet")
    assert exported.returncode == 0, exported.stderr
    assert len(pd.read_parquet(tmp_path / "calls.parquet")) == len(records)
    run_here(tmp_path, "export", "series", "--metric", "tps", "--last", "2h", "--step", "1m", "--to", "tps.csv")
    lines = (tmp_path / "tps.csv").read_text().splitlines()
    assert any("calls/s" in line for line in lines if line.startswith("#"))
    series = pd.read_csv(tmp_path / "tps.csv", comment="#")
    assert series["tps"].sum() * 60 == pytest.approx(len(records), rel=1e-6)


def test_a_malformed_record_is_kept_and_counted(tmp_path: Path) -> None:
    good = json.dumps({"ts": datetime.now(UTC).isoformat(), "service": "a", "status": 200})
    (tmp_path / "logs.ndjson").write_text(good + "\nnot json\n" + '{"service": "no time"}\n')
    result = run_here(tmp_path, "import", "logs.ndjson")
    assert result.returncode == 1
    assert "2" in result.stderr
    assert "dead letters" in result.stderr
    report = json.loads(run_here(tmp_path, "status", "--json").stdout)
    assert report["calls"] == 1
    assert sum(report["dead_letters"].values()) == 2


def test_a_second_owner_is_refused_and_other_commands_go_through_the_first(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    (tmp_path / "logs.ndjson").write_text(json.dumps({"ts": datetime.now(UTC).isoformat(), "service": "a"}) + "\n")
    with running(tmp_path, "serve", log=log, env={"TPSCOPE_WEB__PORT": "0"}) as owner:
        wait_until(lambda: "pages at" in log.read_text() or owner.poll() is not None, 60, "the service")
        address = re.search(r"pages at (http://\S+)", log.read_text())
        assert address, log.read_text()
        line = one_line(run(tmp_path, "serve", env={"TPSCOPE_WEB__PORT": "0"}, timeout_s=60))
        assert "in use" in line
        assert str(owner.pid) in line
        imported = run(tmp_path, "import", "logs.ndjson")
        assert imported.returncode == 0, imported.stderr
        report = json.loads(run(tmp_path, "status", "--json").stdout)
        assert report["calls"] == 1
        assert report["engine"] == "remote"
        assert httpx.get(address[1] + "/healthz", timeout=60).status_code == 200
    assert owner.returncode == 0, log.read_text()
    assert json.loads(run_here(tmp_path, "status", "--json").stdout)["engine"] == "chdb"
