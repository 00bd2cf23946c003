from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.record import CALL_SCHEMA
from dashboards.calls import address_of, key_text, read_key
from dashboards.pages.calls import field_words, one_call, outcome
from dashboards.window import BadWindow
from storage.call_pages import CallKey

AT = datetime(2026, 3, 2, 12, 0, 1, 250_000, tzinfo=UTC)
KEY = CallKey(ts=AT, topic="gateway-calls", partition=3, offset=77, request_id="r/1", latency_ms=12.5)


def a_call(**changed: Any) -> dict[str, Any]:
    call: dict[str, Any] = {field.name: None if field.nullable else "" for field in CALL_SCHEMA}
    call |= {"ts": AT, "ingested_at": AT, "topic": "t", "partition": 0, "offset": 1, "prompt_hash": 0, "attributes": []}
    return {**call, **changed}


def test_a_place_among_calls_survives_an_address() -> None:
    assert read_key("after", key_text(KEY)) == KEY


@pytest.mark.parametrize("text", ["", "x", "WyJ4Il0", key_text(KEY)[:-8], "../../etc/passwd", "%00"])
def test_what_is_no_place_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadWindow, match="names no call"):
        read_key("id", text)


def test_the_page_of_a_call_has_every_field_of_the_record() -> None:
    shown = str(one_call(a_call(service="chat", trace_id="abc", attributes=[("team", "x<b>")]), ZoneInfo("Europe/Berlin")))
    for name in CALL_SCHEMA.names:
        if name != "attributes":
            assert f"Dt('{field_words(name)}')" in shown, name
    assert "13:00:01.250" in shown
    assert "x<b>" in shown
    assert "All calls of this trace" in shown
    assert "Calls of this tenant" not in shown
    assert "no such call" in str(one_call(None, ZoneInfo("UTC")))


def test_an_outcome_is_told_by_more_than_colour() -> None:
    assert "✕ 502 upstream" in str(outcome(a_call(status=502, error_type="upstream")))
    assert "✕" not in str(outcome(a_call(status=200)))
    assert "unknown" in str(outcome(a_call()))


def test_a_call_has_an_address() -> None:
    assert address_of(a_call(request_id="r", latency_ms=None)).startswith("/call?id=")
