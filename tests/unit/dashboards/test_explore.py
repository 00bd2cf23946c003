from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from core.series import Selector
from dashboards.explore.asked import COMPARED, read_asked
from dashboards.pages.explore import change_words
from dashboards.window import BadWindow
from tests.unit.dashboards.builders import NAN, NOON


def parts(address: str) -> tuple[str, dict[str, str]]:
    split = urlsplit(address)
    return split.path, dict(parse_qsl(split.query))


@pytest.mark.parametrize(
    ("last", "metric", "step_s"),
    [
        ("15m", "tps", 1), ("15m", "latency_p95", 60), ("1h", "tps", 60), ("24h", "tps", 120), ("7d", "latency_p99", 3600),
        ("30d", "tps", 3600), ("56d", "tps", 7200),
    ],
)  # fmt: skip
def test_the_step_follows_window_and_metric_and_keeps_lines_short(last: str, metric: str, step_s: int) -> None:
    window = read_asked({"last": last, "metric": metric}, NOON).window
    assert window.step_s == step_s
    assert window.points <= 1001


def test_an_address_says_everything_and_has_defaults() -> None:
    asked = read_asked({}, NOON)
    assert (asked.metric, asked.by, asked.top, asked.before, asked.by_value) == ("tps", ("service",), 5, None, False)
    query = {
        "metric": "error_rate", "by": "tenant", "and": "route", "top": "20", "compare": "7d", "rank": "value", "region": "eu",
        "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z",
    }  # fmt: skip
    asked = read_asked(query, NOON)
    assert (asked.metric, asked.by, asked.top) == ("error_rate", ("tenant", "route"), 20)
    assert (asked.before, asked.by_value, asked.selector) == (timedelta(days=7), True, Selector.of(region="eu"))
    assert read_asked({"by": "none"}, NOON).by == ()
    assert parts(asked.file("lines")) == ("/explore/files/lines", query)


@pytest.mark.parametrize(
    "query", [{"metric": "x"}, {"by": "colour"}, {"top": "7"}, {"compare": "2d"}, {"rank": "x"}, {"last": "x"}]
)
def test_what_cannot_be_shown_is_named(query: dict[str, str]) -> None:
    with pytest.raises(BadWindow, match=next(iter(query))):
        read_asked(query, NOON)


def test_a_value_leads_into_itself_and_to_its_calls() -> None:
    asked = read_asked({"last": "24h", "metric": "latency_p95", "by": "provider", "tenant": "a&b"}, NOON)
    path, query = parts(asked.narrowed(("openai",)))
    assert path == "/explore"
    assert query == {
        "last": "24h", "metric": "latency_p95", "tenant": "a&b", "provider": "openai", "by": "model"
    }  # fmt: skip
    assert parts(asked.calls(("openai",))) == ("/calls", {"last": "1d", "tenant": "a&b", "provider": "openai"})
    assert asked.narrowed(("",)) == "", "no filter names the empty value"
    both = read_asked({"by": "service", "and": "route", "gateway": "g"}, NOON)
    assert parts(both.narrowed(("chat", "/x")))[1] == {"gateway": "g", "service": "chat", "route": "/x", "by": "none"}


def test_a_change_is_told_in_words() -> None:
    assert change_words(112.0, 100.0) == "+12 %"
    assert change_words(1.0, 0.0) == "new"
    assert change_words(0.0, 0.0) == "unchanged"
    assert change_words(NAN, 1.0) == "unknown"
    assert set(COMPARED) == {"1d", "7d"}
