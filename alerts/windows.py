"""Which minutes may be judged, and how far back must be looked for that. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from core.clock import floor_to
from core.types import Watermark

MINUTE = timedelta(minutes=1)
MAX_AGE = timedelta(hours=1)
"""Minutes that ended longer ago are history (an import, a replay, a long outage): nobody is woken up for them."""

EXTRA_LOOKBACK = timedelta(minutes=15)
"""How much further back than needed is looked: known minutes count although unknown ones lie between them."""

_NOT_STREAMED = ("import:", "generated:")
"""Topics of rows that were put in as history; how far they have come says nothing about live traffic."""


def complete_until(
    newest_minute: datetime | None,
    watermarks: Iterable[Watermark],
    now: datetime,
    *,
    delay: timedelta,
    max_delay: timedelta,
) -> datetime | None:
    """The end of the newest minute that has arrived as a whole; None without any call.

    A partition has arrived up to the newest event that it wrote, less what comes late (the 95th percentile of the arrival
    delay). All partitions must have passed a minute's end, except that after `max_delay` one that lags or is idle is not waited
    for any longer. The minute that the newest call lies in is never judged: it may be half a minute, taken for a drop.

    Parameters
    ----------
    newest_minute : datetime or None
        Start of the newest minute with calls.
    delay : timedelta
        How long after its end a minute is judged at the earliest.
    max_delay : timedelta
        Longest wait for partitions that lag.
    """
    if newest_minute is None:
        return None
    earliest = floor_to(now - delay, MINUTE)
    live = [mark for mark in watermarks if not mark.topic.startswith(_NOT_STREAMED)]
    if not live:  # calls came another way than by a stream: only time can tell
        return min(earliest, floor_to(newest_minute, MINUTE) + MINUTE)
    newest_event = max(mark.event_at for mark in live)
    patient = floor_to(min(newest_event, now - max_delay), MINUTE)
    active = [mark for mark in live if now - mark.arrived_at <= max_delay]
    arrived = min((_arrived(mark) for mark in active), default=newest_event)
    return min(earliest, max(patient, floor_to(arrived, MINUTE)))


def _arrived(mark: Watermark) -> datetime:
    return min(mark.event_at, mark.arrived_at - timedelta(seconds=max(mark.delay_s, 0.0)))


def minutes_to_judge(cursor: datetime | None, complete: datetime | None, now: datetime) -> list[datetime]:
    """Ends of the minutes to judge, oldest first: those after `cursor`, at most `MAX_AGE` old.

    The newest is judged again as long as no newer one is complete, so that late data counts. Without a cursor only the newest.
    A clock that was set back makes no old minute new; but a cursor more than `MAX_AGE` ahead was a mistake and is forgotten.
    """
    if complete is None or complete <= now - MAX_AGE:
        return []
    if cursor is None or cursor > complete + MAX_AGE:
        return [complete]
    if cursor > complete:
        return []
    first = max(min(cursor + MINUTE, complete), floor_to(now - MAX_AGE, MINUTE) + MINUTE)
    return [first + number * MINUTE for number in range((complete - first) // MINUTE + 1)]


def first_end_for(ends: Sequence[datetime], need: timedelta) -> datetime:
    """The end of the oldest window to read, so that each of `ends` can be judged by the windows up to `need` before it."""
    return ends[0] - max(need - MINUTE, timedelta(0)) - EXTRA_LOOKBACK


def minute_index(moment: datetime) -> int:
    """Minutes since 1970: the axis that windows are lined up on."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / MINUTE)
