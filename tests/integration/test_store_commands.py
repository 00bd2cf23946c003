"""Commands that look into the embedded store and change it, in this process: a module that has a store open cannot run them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from tests.support.cli import one_line, run_here

NOW = datetime.now(UTC).replace(microsecond=0)
CONFIG = """
store: {url: 'chdb://./data'}
kafka: {format: mapped}
formats: {mapped: {fields: {ts: when, route: path}}}
"""


def test_dead_letters_are_listed_shown_and_replayed(tmp_path: Path) -> None:
    (tmp_path / "tpscope.yaml").write_text(CONFIG)
    old = {"when": 1, "path": "/old"}
    lines = [orjson.dumps(record) for record in ({"ts": NOW.timestamp()}, {"when": NOW.timestamp(), "path": "/a"}, old)]
    (tmp_path / "logs.ndjson").write_bytes(b"\n".join([*lines[:2], b"\xff\x1b[31m", lines[2]]) + b"\n")
    configured = ("--config", "tpscope.yaml")
    assert run_here(tmp_path, "import", "logs.ndjson", "--format", "tpscope", *configured).returncode == 1
    listed = json.loads(run_here(tmp_path, "dead-letters", "list", "--limit", "2", "--json", *configured).stdout)
    assert listed["open"] == {"bad_ts": 2, "not_json": 1}
    assert (len(listed["letters"]), listed["more"]) == (2, True)
    place = "{topic}/{partition}/{offset}".format(**listed["letters"][0])
    shown = run_here(tmp_path, "dead-letters", "show", place.rsplit("/", 1)[0] + "/2", *configured).stdout
    assert "not_json" in shown
    assert "\x1b" not in shown
    assert "no such dead letter" in one_line(run_here(tmp_path, "dead-letters", "show", "x/0/1", *configured))
    replay = run_here(tmp_path, "dead-letters", "replay", "--json", *configured)
    assert replay.returncode == 1, replay.stderr  # one is no JSON for ever
    assert json.loads(replay.stdout) | {"examples": []} == {
        "dry_run": False,
        "replayed": 2,
        "there_before": 0,
        "cut": 0,
        "elsewhere": 0,
        "unreadable": {"not_json": 1},
        "examples": [],
        "left_out": {},
    }
    text = run_here(tmp_path, "dead-letters", "list", *configured).stdout
    assert "open: 1 not_json" in text
    assert "replayed" in text


def test_a_tenant_is_deleted(tmp_path: Path) -> None:
    records = [{"ts": (NOW - timedelta(hours=2)).isoformat(), "tenant": tenant} for tenant in ("a", "a", "b")]
    (tmp_path / "logs.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert run_here(tmp_path, "import", "logs.ndjson").returncode == 0
    assert "--yes" in one_line(run_here(tmp_path, "tenants", "delete", "a"))
    assert "nothing is kept of a tenant 'x'" in one_line(run_here(tmp_path, "tenants", "delete", "x", "--yes"))
    deleted = run_here(tmp_path, "tenants", "delete", "a", "--yes", "--json")
    assert deleted.returncode == 0, deleted.stderr
    told = json.loads(deleted.stdout)
    assert (told["complete"], told["removed"]["calls"], told["left"]) == (True, 2, 0)
