"""Makes a review and archives it: for the command, and for the job that does so on schedule."""

import logging
from datetime import datetime, timedelta

import orjson

from alerts.reviewing import review_notifications
from analytics.reporting import JobReport, run_job
from analytics.review_shell import review
from core.clock import Clock
from core.config import Settings
from core.review_periods import MONTH, WEEK, ReviewPeriod, due_periods
from core.reviews import ArchivedReview, Review
from core.telemetry import REVIEWS_MADE
from render.review_html import review_html
from render.review_json import review_json
from render.review_words import short_review
from storage.contract import Store
from storage.data_span import data_span
from storage.jobs import read_job
from storage.notifications import notifications_of, write_notifications
from storage.reviews import BY_SCHEDULE, archive, scheduled_until
from storage.watermarks import measured_until

logger = logging.getLogger(__name__)

JOB = "reviews"
_LONGEST_WAIT = timedelta(hours=12)
"""For the judgement of a period's last minutes: a detection that fails must not hold back reviews for ever."""
_STALE = timedelta(days=3)
"""A review that is made later than this after its period is archived and told nobody: it is no news any more."""


def run_reviews(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Make each review that is due, once, oldest first; `items` counts them. What is not complete waits for the next run."""

    def body(cursor: datetime | None) -> JobReport:
        now, made, note = clock.now(), 0, ""
        zone = zone_of(settings)
        for kind in (WEEK, MONTH):
            for period in due_periods(settings.reviews, zone, kind, now, scheduled_until(store, kind)):
                if not _has_calls(store, period):
                    continue
                if (missing := _not_complete(store, settings, period, now)) is not None:
                    note = f"{period.id} waits: {missing}"
                    break
                _make(store, settings, period, now, epoch)
                made, cursor = made + 1, period.end
        return JobReport(name=JOB, cursor=cursor, items=made, note=note)

    return run_job(JOB, store, clock, epoch, body)


def archived(made: Review, settings: Settings, by: str) -> ArchivedReview:
    """A review as it is kept; the archive numbers it."""
    return ArchivedReview(
        id=made.period.id,
        kind=made.period.kind,
        version=0,
        start=made.period.start,
        end=made.period.end,
        made_at=made.made_at,
        made_by=by,
        words=short_review(made).text,
        body=orjson.dumps(review_json(made)).decode(),
        page=review_html(made, settings.web.public_url).decode(),
    )


def zone_of(settings: Settings) -> str:
    """The zone of a review's days."""
    return settings.reviews.time_zone or settings.time_zone


def _make(store: Store, settings: Settings, period: ReviewPeriod, now: datetime, epoch: int) -> None:
    """The messages are written first, under names that a repeat finds again: after a crash between the two none is lost."""
    made = review(store, settings, period, now)
    if now - period.end < _STALE:
        stored = notifications_of(store, [period.id])
        write_notifications(store, review_notifications(period.id, short_review(made), stored, settings, now), epoch)
    kept = archive(store, archived(made, settings, BY_SCHEDULE))
    REVIEWS_MADE.labels(kind=period.kind).inc()
    logger.info("review %s version %d is archived", kept.id, kept.version)


def _has_calls(store: Store, period: ReviewPeriod) -> bool:
    span = data_span(store)
    return span is not None and span[0] < period.end and span[1] > period.start


def _not_complete(store: Store, settings: Settings, period: ReviewPeriod, now: datetime) -> str | None:
    """Why the period cannot be reviewed yet; None: all of its calls have arrived, and are judged."""
    arrived = measured_until(store, now)
    if arrived is None:
        arrived = now - settings.detection.max_delay
    if arrived < period.end:
        return f"calls have arrived up to {arrived:%Y-%m-%d %H:%M} UTC"
    if not settings.detection.enabled or now - period.end > _LONGEST_WAIT:
        return None
    detection = read_job(store, "detection")
    if detection is not None and detection.cursor is not None and detection.cursor < period.end:
        return f"minutes are judged up to {detection.cursor:%Y-%m-%d %H:%M} UTC"
    return None
