"""Earlier days are read once an anomaly, not once a minute."""

from dataclasses import replace
from datetime import datetime, timedelta

from analytics.earlier import Earlier
from analytics.recurring import came_before
from core.types import Anomaly
from storage.contract import Store
from tests.unit.core.test_masks import NOON, anomaly

DAY = timedelta(days=1)


def test_while_an_anomaly_lasts_nothing_is_read_again(offline: Store) -> None:
    reads: list[tuple[datetime, datetime]] = []
    stored = [replace(anomaly(0, 0), id=f"{day}", started_at=NOON - day * DAY) for day in range(16)]

    def read(store: Store, start: datetime, end: datetime) -> list[Anomaly]:
        reads.append((start, end))
        return [one for one in stored if start <= one.started_at < end]

    earlier = Earlier(read)
    now = replace(anomaly(0, 0), id="now", started_at=NOON)
    for minute in range(30):
        found = earlier.than(offline, [replace(now, last_at=NOON + timedelta(minutes=minute))])
    assert len(reads) == 1
    assert {one.id for one in found} == {one.id for one in stored if came_before(now, one) and int(one.id) <= 14}
    later = replace(now, id="later", started_at=NOON + timedelta(minutes=20))
    for ongoing in ([now, later], [later], [now, later]):
        earlier.than(offline, ongoing)
    assert len(reads) == 2, "a new one asks once"
    assert "1" in {one.id for one in earlier.than(offline, [replace(now, started_at=NOON + DAY)])}
