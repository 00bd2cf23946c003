"""`tpscope alerts` and `tpscope silences` as a user runs them; the heartbeat."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.heartbeat import STALE, Heartbeat
from alerts.web_client import WebClient
from core.clock import FakeClock
from core.config import Settings
from core.errors import ConfigError
from core.load import load_settings
from tests.support.cli import run
from tests.support.receiver import Receiver
from tpscope.alert_commands import add, check, end, list_, try_receiver

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

BAD = """\
receivers:
  - {name: own, url: "http://127.0.0.1:9/x", template: broken.j2}
  - name: metadata
    url: "https://169.254.169.254/latest"
silences:
  - {name: nightly, cron: "each night", duration: 1h}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands run in this process, as the user's folder would have them, but for the one that is asked how it exits."""
    monkeypatch.chdir(tmp_path)


def test_check_names_every_mistake_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text("receivers: [{name: own, url: 'https://hooks.example.com/x'}]\n")
    assert check(Path("good.yaml")) == 0
    rules = "anomaly (anomaly), no-traffic (absence), limits (forecast), pipeline (pipeline), transaction-silent (absence)"
    assert f"valid; rules: {rules}, objectives (objective), changes (change); 1 receivers" in capsys.readouterr().out
    (tmp_path / "broken.j2").write_text('{"text": {{ nonsense | json }}}')
    (tmp_path / "bad.yaml").write_text(BAD)
    bad = run(tmp_path, "alerts", "check", "--config", "bad.yaml")
    assert bad.returncode == 2
    assert bad.stdout.splitlines() == [
        "bad.yaml: silences.0.cron: 'each night' is no cron expression (Wrong number of fields); "
        "write for example '0 2 * * SUN'",
        "bad.yaml: receivers.0.template: broken.j2: 'nonsense' is undefined",
        "bad.yaml: receivers.1.url: its address lies in 169.254.0.0/16, which is denied; allow_networks makes an exception",
    ]


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        (
            "rules:\n  - {kind: anomaly, name: a}\n  - kind: threshold\n    name: b\n    metric: tpss\n    above: 1\n",
            3,
            "rules.1",
        ),
        ("rules:\n  - kind: absence\n    name: b\n    windw: 5m\n", 4, "'windw'; did you mean 'window'?"),
        ("rules:\n  - kind: absence\n    name: b\n    window: 5x\n", 4, "'5x' is no duration"),
        ("\nrouting:\n  routes:\n    - match: {service: '~['}\n", 4, "is no regular expression"),
        ("time_intervals:\n  - name: x\n    days: [monday]\n", 3, "'monday' is no day of the week"),
        ("receivers:\n  - name: x\n    type: carrier-pigeon\n", 3, "receivers.0.type"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, text: str, where: int, problem: str) -> None:
    path = tmp_path / "tpscope.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert f"tpscope.yaml:{where}: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_test_message_says_whether_it_arrived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "t.yaml"
    with Receiver() as receiver:
        config.write_text(f"receivers: [{{name: own, url: '{receiver.url}/s3cret', timeout: 2s}}]\n")
        assert try_receiver("own", config, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["delivered"]
        assert receiver.requests[0].json["reason"] == "test"
    assert try_receiver("own", config) == 1
    assert capsys.readouterr().out == "own: not delivered: the connection failed (ECONNREFUSED)\n"


def test_silences_are_added_listed_and_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert add(["service=chat", "route=~/v1/.*"], "1h", comment="a move", as_json=True) == 0
    silence = json.loads(capsys.readouterr().out)
    assert (silence["match"], silence["active"]) == ({"service": "chat", "route": "~/v1/.*"}, True)
    assert list_() == 0
    listed = capsys.readouterr().out
    assert listed.startswith(f"{silence['id']}  active  ")
    assert "service=chat, route=~/v1/.*" in listed
    assert (end(silence["id"]), list_()) == (0, 0)
    assert capsys.readouterr().out == f"silence {silence['id']} ended\nnothing is silenced\n"
    with pytest.raises(ConfigError, match=f"no silence '{silence['id']}' to end"):
        end(silence["id"])


def test_the_heart_beats_only_while_rules_are_evaluated() -> None:
    clock, at = FakeClock(NOW), [NOW]
    with Receiver() as receiver:
        given = Settings.model_validate({"heartbeat": {"url": f"{receiver.url}/alive"}})
        heart, client = Heartbeat(lambda: given, clock, lambda: at[0]), WebClient()
        assert heart.beat(client)
        assert [(one.method, one.path) for one in receiver.requests] == [("GET", "/alive")]
        clock.advance(STALE + timedelta(seconds=1))
        assert not heart.beat(client)
        assert len(receiver.requests) == 1
        at[0] = clock.now()
        receiver.answer(500)
        assert not heart.beat(client)
        assert heart.beat(client)
        client.close()
