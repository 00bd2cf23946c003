import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from plotly.utils import PlotlyJSONEncoder

from core.series import Selector, selection_of
from core.types import DeliveryState, IncidentState, Notification, NotifyReason
from dashboards.incidents import IncidentDetail, IncidentsData, without_urls
from dashboards.pages import incidents as page
from dashboards.pages.anomalies import MAX_PARTS
from dashboards.series_chart import around
from tests.unit.dashboards.builders import NOON, a_contribution, an_anomaly, an_incident

UTC = ZoneInfo("UTC")
HOUR = timedelta(hours=1)


def written(component: Any) -> str:
    """What would be sent to the browser."""
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def notification(**changed: Any) -> Notification:
    values: dict[str, Any] = {
        "id": "n",
        "incident_id": "i-1",
        "receiver": "on-call",
        "reason": NotifyReason.OPENED,
        "state": DeliveryState.FAILED,
        "created_at": NOON,
        "updated_at": NOON,
        "attempts": 3,
        "next_attempt_at": None,
        "error": "",
        "payload": '{"secret": 1}',
    }
    return Notification(**{**values, **changed})


def opened(**changed: Any) -> IncidentsData:
    values: dict[str, Any] = {
        "incident": an_incident(),
        "anomaly": None,
        "notifications": (),
        "metric": "latency_p95",
        "selector": Selector.of(provider="openai"),
        "figure": None,
        "legend": (),
    }
    one = IncidentDetail(**{**values, **changed})
    return IncidentsData(incidents=(one.incident,), opened=one, asked="i-1", now=NOON + HOUR)


def test_the_chart_begins_an_hour_before_and_ends_soon_after() -> None:
    ended = an_incident(state=IncidentState.RESOLVED, resolved_at=NOON + timedelta(minutes=10))
    window = around(ended.started_at, ended.resolved_at, NOON + 10 * HOUR)
    assert (window.start, window.end) == (NOON - HOUR, NOON + timedelta(minutes=41))
    assert window.step_s == 60


def test_the_chart_of_a_firing_incident_ends_now_and_a_long_one_begins_earlier() -> None:
    window = around(NOON, None, NOON + 5 * HOUR)
    assert window.end >= NOON + 5 * HOUR
    assert window.start <= NOON - 5 * HOUR


def test_labels_that_are_dimensions_select_calls() -> None:
    assert selection_of({"provider": "openai", "team": "x"}) == Selector.of(provider="openai")


def test_addresses_are_left_out_of_errors() -> None:
    text = "POST https://hooks.example.com/T0/secret?x=1 answered 500, see http://other"
    assert without_urls(text) == "POST (address) answered 500, see (address)"


def test_a_notification_shows_its_state_but_no_address_and_no_payload() -> None:
    html = written(page.detail(opened(notifications=(notification(error="https://hooks.example.com/secret: 500"),)), UTC))
    assert "on-call" in html
    assert "✕ failed" in html
    assert "hooks.example.com" not in html
    assert "payload" not in html


def test_a_runbook_is_a_link_only_when_it_is_one() -> None:
    for runbook, is_link in (("https://wiki.example.com/x", True), ("javascript:alert(1)", False)):
        html = written(page.detail(opened(incident=an_incident(runbook=runbook)), UTC))
        assert ('"href": "' + runbook in html) is is_link


def test_what_moved_is_ranked_with_units() -> None:
    parts = (a_contribution("error_rate"), a_contribution("latency_p95"))
    html = written(page.detail(opened(anomaly=an_anomaly(contributions=parts)), UTC))
    assert "0 to 200 %" in html
    assert "1 ms" in html
    assert "all traffic" in html


def test_the_page_says_why_it_is_empty() -> None:
    nothing = IncidentsData(incidents=(), opened=None, asked="", now=NOON)
    assert "No incident has been opened" in written(page.listing(nothing, UTC))
    assert page.detail(nothing, UTC) == []
    gone = IncidentsData(incidents=(), opened=None, asked="i-9", now=NOON)
    assert "no incident of this name" in written(page.detail(gone, UTC))


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (an_incident(), "for 1 h so far"),
        (an_incident(resolved_at=NOON + timedelta(minutes=9)), "lasted 9 min"),
    ],
)
def test_lengths_are_words(incident: Any, words: str) -> None:
    assert page.lasting(incident, NOON + HOUR) == words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"threshold": 240.0}, "812 ms, expected at most 240 ms"),
        ({"threshold": 900.0}, "812 ms, expected at least 900 ms"),
        ({"threshold": 240.0, "kind": "threshold"}, "812 ms, allowed at most 240 ms"),
    ],
)
def test_a_value_is_told_with_the_edge_that_it_crossed(changed: dict[str, Any], words: str) -> None:
    assert words in written(page.detail(opened(incident=an_incident(**changed)), UTC))


def test_a_long_ranking_is_cut_and_says_so() -> None:
    parts = tuple(a_contribution("error_rate") for _ in range(MAX_PARTS + 3))
    html = written(page.detail(opened(anomaly=an_anomaly(contributions=parts)), UTC))
    assert "and 3 more with smaller shares" in html
