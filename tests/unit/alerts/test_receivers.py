"""What receivers get: tpscope's own JSON and Slack's shape."""

import json
import math
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.message import Message, incident_url, message_of
from alerts.receivers import escaping
from alerts.receivers.templating import render
from core.types import Incident, IncidentState, NotifyReason, Severity
from tests.support.data import REPOSITORY
from tests.unit.alerts.builders import incident, settings, slow
from tests.unit.alerts.memory import MINUTE, START

NOW = START + 2 * MINUTE
OPENED, REPEATED, RESOLVED = NotifyReason.OPENED, NotifyReason.REPEATED, NotifyReason.RESOLVED


def message(about: Incident | None = None, reason: NotifyReason = OPENED, **given_settings: Any) -> Message:
    more = {"web": {"public_url": "https://tpscope.example.com/"}, **given_settings}
    return message_of(about or incident(), reason, "key-1", NOW, settings(slow(), **more))


def body(kind: str, *args: Any, **more: Any) -> dict[str, Any]:
    rendered: dict[str, Any] = json.loads(render(kind, message(*args, **more)))
    return rendered


def ended(**more: Any) -> Incident:
    return incident(state=IncidentState.RESOLVED, resolved_at=START + 17 * MINUTE, **more)


@pytest.mark.parametrize(
    ("about", "reason", "headline"),
    [
        (incident(), OPENED, "[warning] Latency P95 above 500 ms: service chat (900 ms)"),
        (incident(severity=Severity.CRITICAL, value=math.nan), OPENED, "[critical] Latency P95 above 500 ms: service chat"),
        (
            incident(started_at=NOW - timedelta(hours=4)),
            REPEATED,
            "[warning, still firing] Latency P95 above 500 ms: service chat (900 ms), for 4 h",
        ),
        (ended(), RESOLVED, "[resolved] Latency P95 above 500 ms: service chat, after 17 min"),
        (incident(title="two\nlines \t of it"), OPENED, "[warning] two lines of it (900 ms)"),
    ],
)
def test_the_headline_stands_alone(about: Incident, reason: NotifyReason, headline: str) -> None:
    assert message(about, reason).headline == headline


def test_the_facts_say_where_since_when_how_bad_and_against_what() -> None:
    found = message(incident(labels={"service": "chat", "team": "llm"}), time_zone="Europe/Berlin")
    assert found.facts == (
        ("Where", "service chat"),
        ("Since", "2026-03-02 13:00 CET"),
        ("Latency P95", "900 ms"),
        ("Expected", "at most 500 ms"),
        ("team", "llm"),
    )
    assert ("Ended", "2026-03-02 12:17 UTC") in message(ended(), RESOLVED).facts
    drop = message(incident(metric="tps", unit="calls/s", value=1.0, threshold=5.0, labels={}))
    assert drop.facts[0] == ("Where", "all traffic")
    assert ("Expected", "at least 5 calls/s") in drop.facts


def test_where_to_look() -> None:
    assert message().incident_url == "https://tpscope.example.com/incidents?incident=i1"
    assert message(web={"public_url": ""}).incident_url == ""
    assert incident_url("http://x", 'a&b"<') == "http://x/incidents?incident=a%26b%22%3C"
    assert message(incident(runbook="javascript:alert(1)")).runbook_url == ""
    assert message(incident(runbook="https://wiki.example.com/r")).runbook_url == "https://wiki.example.com/r"


def test_the_webhooks_json_is_the_documented_example() -> None:
    page = (REPOSITORY / "docs" / "webhook.md").read_text("utf-8")
    examples = [json.loads(found) for found in re.findall(r"```json\n(.+?)```", page, re.DOTALL)]
    about = incident(
        id="8f2c1d0a9b3e4f56",
        severity=Severity.CRITICAL,
        labels={"service": "chat", "team": "llm"},
        summary="Latency P95 was 900 ms in the minute to 2026-03-02 12:02 UTC (1,234 calls); it should be at most 500 ms. "
        "Since 2026-03-02 12:00 UTC.",
        runbook="https://wiki.example.com/chat-slow",
    )
    assert body("webhook", about) == {**examples[0], "id": "key-1"}


def test_every_field_of_the_webhook_is_documented() -> None:
    page = (REPOSITORY / "docs" / "webhook.md").read_text("utf-8")
    documented = set(re.findall(r"^\| (?:`[\w.]+`, )?`([\w.]+)`", page, re.MULTILINE))
    documented |= set(re.findall(r"^\| `([\w.]+)`, `", page, re.MULTILINE))
    rendered = body("webhook")
    fields = {name for name, value in rendered.items() if not isinstance(value, dict) or name == "labels"}
    fields |= {f"{name}.{inner}" for name in ("incident", "links", "expected") for inner in rendered[name]}
    assert documented == fields


def test_what_is_unknown_is_null_in_the_webhooks_json() -> None:
    found = body("webhook", incident(value=math.nan, threshold=math.inf), web={"public_url": ""})
    assert (found["value"], found["threshold"]) == (None, None)
    assert found["links"] == {"incident": None, "runbook": None}
    assert (found["incident"]["resolved_at"], found["incident"]["anomaly_id"]) == (None, None)


def test_slacks_shape() -> None:
    found = body("slack", incident(runbook="https://wiki.example.com/r?a=1&b=2"))
    assert found["text"] == "[warning] Latency P95 above 500 ms: service chat (900 ms)"
    (attachment,) = found["attachments"]
    assert attachment["color"] == "#e8a317"
    explanation, fields, links, context = attachment["blocks"]
    assert explanation["text"] == {"type": "mrkdwn", "text": "Latency P95 was 900 ms.", "verbatim": True}
    assert [field["text"] for field in fields["fields"]][:2] == ["*Where*\nservice chat", "*Since*\n2026-03-02 12:00 UTC"]
    assert [(button["text"]["text"], button["url"]) for button in links["elements"]] == [
        ("Open the incident", "https://tpscope.example.com/incidents?incident=i1"),
        ("Runbook", "https://wiki.example.com/r?a=1&b=2"),
    ]
    assert context["elements"][0]["text"] == "tpscope · rule slow · warning · incident i1"


def test_slacks_colour_tells_severity_and_end() -> None:
    colors = [body("slack", incident(severity=severity))["attachments"][0]["color"] for severity in Severity]
    colors.append(body("slack", ended(), RESOLVED)["attachments"][0]["color"])
    assert len(set(colors)) == 4


def texts(found: object) -> list[str]:
    """Every string that Slack would read for markup."""
    if isinstance(found, dict):
        return [text for name, value in found.items() if name in _MARKUP for text in texts(value)]
    if isinstance(found, list):
        return [text for value in found for text in texts(value)]
    return [found] if isinstance(found, str) else []


_MARKUP = {"text", "fallback", "blocks", "attachments", "fields", "elements"}
nasty = st.text(alphabet=st.sampled_from("<>&!@#|*_~`\n\"'\\ aé漢😀"), max_size=60)


@given(nasty, nasty, st.integers(0, 5000))
def test_a_name_from_outside_is_never_markup_and_never_too_long_for_slack(name: str, text: str, stretch: int) -> None:
    long = (name or "<") * (stretch // max(len(name), 1) + 1)
    labels = {"route": "<!channel>" + long, **{f"label{number}": text for number in range(12)}}
    found = body("slack", incident(title=f"<!here> {long}", summary=f"<@U123> {long}{text}", labels=labels))
    for one in texts(found):
        assert "<" not in one
        assert ">" not in one
        assert re.sub(r"&(amp|lt|gt);", "", one).count("&") == 0, "no entity is cut in two"
    assert len(found["text"]) <= 4000
    (attachment,) = found["attachments"]
    for block in attachment["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(0 < len(field["text"]) <= 2000 for field in block.get("fields", []))


@given(st.text(max_size=200), st.integers(1, 50))
def test_escaping_keeps_what_fits(text: str, most: int) -> None:
    found = escaping.slack(text, most)
    assert len(found) <= most
    whole = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert found == whole if len(whole) <= most else found.endswith("…") and whole.startswith(found[:-1])


def test_a_link_that_is_too_long_is_left_out() -> None:
    found = body("slack", incident(runbook="https://wiki.example.com/" + "x" * 5000))
    assert "Runbook" not in json.dumps(found)


def test_a_test_message_says_so_everywhere() -> None:
    found = message_of(incident(title="Test message"), OPENED, "test-1", NOW, settings(slow()), test=True)
    assert json.loads(render("webhook", found))["reason"] == "test"
    assert json.loads(render("slack", found))["text"] == "[test] Test message"
