"""Which anomalies a mask speaks of, and which of them need no message."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks import GRACE, Mask, MaskKind, labelled, mask_of, mutes
from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHAT = Selector.of(service="chat")


def mask(**parts: object) -> Mask:
    usual = {
        "id": "m1", "kind": MaskKind.MAINTENANCE, "start": NOON, "end": NOON + timedelta(hours=1), "selector": CHAT,
        "who": "ada", "why": "release", "made_at": NOON,
    }  # fmt: skip
    return Mask(**{**usual, **parts})  # type: ignore[arg-type]


def anomaly(first: float, last: float, selector: Selector = CHAT) -> Anomaly:
    """From minute to minute after noon."""
    return Anomaly(
        id="a", started_at=NOON + first * MINUTE, last_at=NOON + last * MINUTE, ended_at=None, selector=selector, metric="tps",
        direction=Direction.LOW, score=2.0, severity=0.8, observed=0.0, expected=1.0, lower=0.5, upper=1.5, contributions=(),
        explanation="", model_version="v", baseline_version="v",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "selector", "speaks", "muted"),
    [
        (5, 10, CHAT, True, True),
        (-4, 62, CHAT, True, True),
        (-30, 10, CHAT, True, False),
        (30, 90, CHAT, True, False),
        (61, 70, CHAT, False, False),
        (5, 10, Selector.of(service="chat", model="m"), True, True),
        (5, 10, ALL_CALLS, False, False),
        (5, 10, Selector.of(service="search"), False, False),
    ],
)
def test_a_mask_mutes_what_lies_in_its_time_and_selection(
    first: int, last: int, selector: Selector, speaks: bool, muted: bool
) -> None:
    (found,) = labelled([anomaly(first, last, selector)], [mask()])
    assert (found.mask_id, found.muted) == ("m1" if speaks else "", muted)


def test_a_confirmed_incident_mutes_nothing_and_one_that_mutes_comes_first() -> None:
    incident = mask(id="m2", kind=MaskKind.INCIDENT, made_at=NOON + MINUTE)
    assert not labelled([anomaly(5, 10)], [incident])[0].muted
    found = mask_of(anomaly(5, 10), [mask(), incident])
    assert found is not None
    assert found.id == "m1"


def test_a_mask_without_an_end_lasts_and_a_withdrawn_one_speaks_of_nothing() -> None:
    late = anomaly(9_000, 9_010)
    assert labelled([late], [mask(end=None)])[0].muted
    assert mask_of(anomaly(0, 10), [mask(end=NOON)]) is None
    assert not mutes(mask(end=NOON), anomaly(0, 1))


@given(st.integers(-200, 200), st.integers(0, 200), st.integers(-100, 100), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_what_is_muted_never_reaches_beyond_the_mask_and_its_grace(first: int, length: int, start: int, span: int) -> None:
    one = mask(start=NOON + start * MINUTE, end=NOON + (start + span) * MINUTE)
    before = anomaly(first, first + length)
    (after,) = labelled([before], [one])
    assert replace(after, mask_id="", muted=False) == before, "labels change nothing else"
    if after.muted:
        assert after.mask_id == one.id
        assert one.start - GRACE <= after.started_at <= after.last_at < one.until + GRACE
    assert labelled([after], []) == [before], "a mask that is gone leaves no trace"
