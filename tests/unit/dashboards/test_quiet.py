from datetime import timedelta

import pytest

from core.masks import Mask, MaskKind
from core.series import ALL_CALLS, Selector
from core.types import Silence
from dashboards.quiet import may_concern, of_mask, of_silence
from render.parts import MarkKind
from tests.unit.dashboards.builders import NOON, OPENAI


@pytest.mark.parametrize(
    ("match", "concerned"),
    [
        ({}, True),
        ({"provider": "openai"}, True),
        ({"provider": "mistral"}, False),
        ({"provider": "~mis.*"}, True),
        ({"team": "search"}, True),
        ({"service": "chat"}, True),
    ],
)
def test_a_silence_may_concern_what_it_does_not_exclude(match: dict[str, str], concerned: bool) -> None:
    assert may_concern(match, OPENAI) is concerned
    assert may_concern(match, ALL_CALLS)


def test_marks_say_what_who_and_why() -> None:
    end = NOON + timedelta(hours=1)
    mask = Mask(
        id="m", kind=MaskKind.MAINTENANCE, start=NOON, end=end, selector=Selector(), who="ann", why="moved", made_at=NOON
    )
    silence = Silence(
        id="s", match={"provider": "openai"}, starts_at=NOON, ends_at=end, created_at=NOON, created_by="bob", comment="tests"
    )
    assert of_mask(mask).text == "Maintenance, all traffic: moved (ann)"
    assert of_silence(silence).text == "Silence of provider openai: tests (bob)"
    assert {of_mask(mask).kind, of_silence(silence).kind} == {MarkKind.QUIET}
