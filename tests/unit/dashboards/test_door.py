"""The parts of the door that need no store: limits, origins, cursors, ETags' names, the log's silence."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers

from dashboards.access.limits import RateLimit
from dashboards.access.origins import own_origin
from dashboards.api.cursors import cursor_of, newest_page, parts_of
from dashboards.api.tagged import _named
from dashboards.problems import Problem

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_bucket_is_emptied_at_once_and_filled_again_steadily() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    assert [limit.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait_s("a") == pytest.approx(1.0)
    assert limit.wait_s("b") == 0.0, "another one's requests do not count"
    now[0] = 2.0
    assert [limit.wait_s("a") > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://here:8080"}, True),
        ({"origin": "https://tpscope.example"}, True),
        ({"origin": "http://here"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://here:8080.evil.example"}, False),
        ({"origin": "http://here:8080", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_actions_come_from_our_own_pages(headers: dict[str, str], own: bool) -> None:
    assert own_origin(Headers({"host": "here:8080", **headers}), "https://tpscope.example") is own


def test_pages_of_a_list_hold_each_entry_once_also_of_one_moment() -> None:
    items = [(NOW + timedelta(minutes=n // 3), f"i{n}") for n in range(10)]
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = newest_page(items, lambda one: one[0], lambda one: one[1], cursor, 4)
        seen += [one[1] for one in page]
        if cursor is None:
            break
    assert seen == [one[1] for one in sorted(items, key=lambda one: (-one[0].timestamp(), one[1]))]


@pytest.mark.parametrize("text", ["", "x", "=", "bnVsbA", cursor_of("a"), cursor_of(1, "a"), cursor_of("a", "b", "c")])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parts_of(text, (str, str))
    assert (refused.value.status, refused.value.parameter) == (400, "cursor")
    assert parts_of(cursor_of("a", "b"), (str, str)) == ["a", "b"]


def test_a_tag_is_named_weakly_or_by_a_star() -> None:
    for header in ('W/"a"', '"a"', '"x", W/"a"', "*"):
        assert _named(header, 'W/"a"')
    assert not _named("", 'W/"a"')
    assert not _named('"b"', 'W/"a"')
