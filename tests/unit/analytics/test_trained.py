"""Building from days of minutes; what is built is judged by in the other tests."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

import numpy as np
import pytest

from analytics import trained
from analytics.features import DETECTION_METRICS, Panel
from analytics.trained import Trainer
from core.config import DetectionSettings, Settings
from storage.contract import Store
from tests.support.traffic import MONDAY, Traffic
from tests.unit.analytics.builders import traffic_panel

DAYS = 6
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def read_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of a small gateway in the place of a store."""
    whole = traffic_panel(Traffic(1, DAYS, rate=0.5).panels(0, DAYS, scopes=[()]), 0, DAYS)

    def read_parts(_store: Store, first: datetime, last: datetime, *_more: object) -> Iterator[Panel]:
        yield whole.slice(round((first - MONDAY) / timedelta(minutes=1)), round((last - MONDAY) / timedelta(minutes=1)))

    monkeypatch.setattr(trained, "read_parts", read_parts)
    monkeypatch.setattr(trained, "data_span", lambda _store: (MONDAY, MONDAY + DAYS * DAY))
    for name in ("read_masks", "read_anomalies"):
        monkeypatch.setattr(trained, name, lambda *_asked: [])


@pytest.mark.usefixtures("read_days")
def test_what_was_read_for_one_build_is_no_part_of_a_build_at_another_hour_of_the_day() -> None:
    settings = Settings(detection=DetectionSettings(min_history=2 * DAY, trees=10))
    kept, fresh = (Trainer(cast(Store, None), settings) for _ in range(2))
    first, later = MONDAY + DAYS * DAY, MONDAY + DAYS * DAY - 9 * HOUR
    assert kept.build(first, first) is not None
    again, alone = kept.build(later, later), fresh.build(later, later)
    assert again is not None
    assert alone is not None
    assert again.version == alone.version
    for metric in DETECTION_METRICS:
        np.testing.assert_allclose(again.baselines.scale[metric], alone.baselines.scale[metric])
