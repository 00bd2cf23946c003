"""The short form of a review goes through every kind of receiver, whole, within its limits, with its link."""

import json
from typing import Any

import pytest

from alerts.receivers import SENDERS
from alerts.receivers.templating import render
from alerts.reviewing import review_message, review_notifications, review_url
from core.config import Settings
from core.types import NotifyReason
from render.review_words import ShortReview
from tests.unit.alerts.memory import START

MOST = {
    "slack": 40_000, "teams": 28_000, "discord": 6_000, "googlechat": 32_000, "telegram": 4_096, "mattermost": 16_383,
    "feishu": 20_000, "dingtalk": 20_000, "wecom": 4_096,
}  # fmt: skip
"""Bytes of a whole message that the services take, by their documentation; a body may be a little less of it."""

SHORT = ShortReview(
    headline="Weekly review, 9 to 15 Mar 2026: 1 of 2 objectives kept, 3 things worse, 4 incidents",
    facts=(("Calls", "3,000"), ("Error rate", "0.8 % (+12 %)"), ("Latency P95", "412 ms (+3.0 %)"), ("Cost", "12.30 USD")),
    lines=tuple(f"Worse {place}: {'x' * 120}" for place in range(12)),
)
URL = "https://tpscope.example.com/reviews/week-2026-03-16"


def settings(**more: Any) -> Settings:
    receivers = [{"name": name, "type": "webhook", "url": "http://127.0.0.1:9/x"} for name in ("team", "other")]
    tree = {"web": {"public_url": "https://tpscope.example.com/"}, "receivers": receivers, "reviews": {"receivers": ["team"]}}
    return Settings.model_validate({**tree, **more})


@pytest.mark.parametrize("kind", sorted(set(SENDERS) - {"pagerduty"}))
def test_every_receiver_gets_headline_figures_lines_and_link(kind: str) -> None:
    body = render(kind, review_message("week-2026-03-16", SHORT, "k", settings(), START, kind))
    text = json.dumps(json.loads(body), ensure_ascii=False).replace("\\\\", "")
    for wanted in ("Weekly review, 9 to 15 Mar 2026", "412 ms", URL, "Worse 0"):
        assert wanted in text, (kind, wanted)
    assert "Worse 11" in text or " more on the page" in text
    assert "x…" not in text
    assert "incident week" not in text
    assert len(body.encode()) < MOST.get(kind, 60_000)


def test_each_receiver_is_told_once() -> None:
    [first] = review_notifications("week-2026-03-16", SHORT, [], settings(), START)
    assert (first.receiver, first.reason, first.incident_id) == ("team", NotifyReason.REVIEW, "week-2026-03-16")
    assert review_notifications("week-2026-03-16", SHORT, [first], settings(), START) == []
    assert json.loads(first.payload)["links"]["incident"] == URL


def test_without_a_public_address_there_is_no_link() -> None:
    assert review_url("", "week-2026-03-16") == ""
    assert review_message("w", SHORT, "k", settings(web={}), START).links == ()
