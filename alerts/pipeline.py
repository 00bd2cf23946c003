"""One evaluation of all rules: reads what is stored, lets the pure parts decide, writes incidents and the outbox."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.amending import LATE
from alerts.announcing import Announcer
from alerts.explaining import explained
from alerts.inhibition import INHIBITED_BY
from alerts.late_data import LateData
from alerts.live import merged
from alerts.masking import masks_of
from alerts.memory import AlertMemory
from alerts.more_rules import MoreRules
from alerts.repository import Repository
from alerts.silences import maintenance
from alerts.state import decide
from alerts.step import Notice
from alerts.telling import waits
from alerts.threshold_rules import ThresholdRules
from alerts.windows import MAX_AGE, complete_until, minutes_to_judge
from core.clock import Clock
from core.config import Settings
from core.errors import TpscopeError
from core.telemetry import ALERTS_FIRING, ALERTS_SECONDS
from core.types import Incident, JobState, NotifyReason

logger = logging.getLogger(__name__)

JOB = "alerts"
_FIRST_LOOK = timedelta(days=7)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertReport:
    """What one evaluation did.

    Attributes
    ----------
    judged_until : datetime or None
        End of the newest minute that was judged; None where no recent minute has arrived as a whole.
    minutes : int
        Minutes that were judged: one, more after downtime.
    firing : int
        Incidents that fire after it; `inhibited` of them are joined to another one and not told.
    errors : tuple of str
        Rules that could not be evaluated; their incidents stay as they are.
    again_in : timedelta or None
        When the first incident has waited long enough for others of its cause; None: none waits.
    """

    judged_until: datetime | None
    minutes: int
    firing: int
    inhibited: int
    opened: int
    repeated: int
    resolved: int
    notifications: int
    errors: tuple[str, ...] = ()
    again_in: timedelta | None = None


def evaluate(repository: Repository, clock: Clock, settings: Settings, memory: AlertMemory | None = None) -> AlertReport:
    """Evaluate all rules as of now, write the incidents that changed and what must be told, and how it went.

    Raises the store's errors; the job's state then says so, as far as it can be written, and the next run catches up. `memory`
    spares readings when it is given again; without it everything is read anew.
    """
    now, began = _whole_ms(clock.now()), time.perf_counter()
    before = repository.job(JOB) or JobState(
        name=JOB, cursor=None, last_success_at=None, last_error_at=None, last_error="", duration_s=0.0
    )
    memory = memory or AlertMemory()
    sure, memory.sure = memory.sure, False
    try:
        evaluation = _Evaluation(repository, settings, now, before, memory, sure)
        report = evaluation.run()
    except TpscopeError as error:
        failed = replace(before, last_error_at=now, last_error=str(error), duration_s=time.perf_counter() - began)
        _write_failure(repository, failed)
        raise
    state = replace(
        before,
        cursor=evaluation.cursor,
        last_success_at=_whole_ms(clock.now()),
        duration_s=time.perf_counter() - began,
    )
    ALERTS_SECONDS.observe(state.duration_s)
    if report.errors:
        state = replace(state, last_error_at=now, last_error="; ".join(report.errors))
    repository.write_job(state)
    memory.sure = True
    return report


class _Evaluation:
    """One run; `cursor` is how far has been judged, `sure` that the run before came to its end."""

    def __init__(
        self, repository: Repository, settings: Settings, now: datetime, before: JobState, memory: AlertMemory, sure: bool
    ) -> None:
        self._repository, self._settings, self._now, self._before = repository, settings, now, before
        self._memory, self._sure = memory, sure
        self._announcer = Announcer(repository, settings, now)
        self.cursor = before.cursor
        self._errors: list[str] = []

    def run(self) -> AlertReport:
        known = {incident.id: incident for incident in self._repository.incidents(self._known_since())}
        before = list(known.values())
        self.cursor = max(filter(None, (self.cursor, *(one.judged_until for one in known.values()))), default=None)
        made = self._announcer.tell(self._announcer.lost(before, self._before.last_success_at))
        self._follow_clock_back()
        minutes = self._minutes()
        events, notices = self._judged(known, minutes)
        events, notices = explained(self._repository, events, notices, self._now)
        late = LateData(self._repository, self._settings, self._now, self._memory).judge(known)
        events, notices = events + late.events, notices + late.notices
        # Written with them in one insert: a crash before the job's own state would have them judged again from a later state.
        self.cursor = minutes[-1] if minutes else self.cursor
        events = [replace(one, judged_until=self.cursor) for one in events]
        # Masks before the incident's end that closes them: after a crash in between they are only written again.
        self._repository.write_masks(masks_of(before, known.values(), self._now))
        # Incidents first: they say what must be in the outbox, so that a crash between the two can be made good.
        self._repository.write_incidents(events)
        made += self._announcer.tell(notices)
        return self._report(known.values(), minutes, notices, made)

    def _judged(self, known: dict[str, Incident], minutes: Sequence[datetime]) -> tuple[list[Incident], list[Notice]]:
        """All rules on every minute, oldest first; `known` takes the incidents' new states."""
        thresholds = ThresholdRules(self._repository, self._settings, self._now, self._fail)
        verdicts, live = thresholds.read(minutes), thresholds.live()
        complete = minutes[-1] if minutes else None
        others = MoreRules(
            self._repository, self._settings, self._now, complete, known.values(), self._fail, self._memory
        ).judge()
        silences = [*maintenance(self._settings, self._now), *self._repository.silences(self._now)]
        actions = self._repository.actions(self._known_since())
        events: list[Incident] = []
        notices: list[Notice] = []
        for number, at in enumerate(minutes or [self._now]):
            judged = thresholds.judge(verdicts, at, known.values())
            is_last = at == (complete or self._now)
            # A millisecond apart, so that messages about minutes caught up on keep their order.
            decision = decide(
                known.values(),
                (merged(judged, live) if is_last else judged) + others,
                self._now + number * _MILLISECOND,
                self._settings,
                silences=silences,
                actions=actions,
            )
            known.update((incident.id, incident) for incident in decision.updates)
            events += decision.updates
            notices += decision.notices
        return events, notices

    def _known_since(self) -> datetime:
        """How far back ended incidents matter: to those that ended while nobody looked, and a little further.

        Where it is not sure that the last run came to its end, all those matter that late calls may have changed.
        """
        done = self._before.last_success_at
        since = (min(done, self._now) if done else self._now - _FIRST_LOOK) - 2 * MAX_AGE
        return since if self._sure else min(since, self._now - LATE - 2 * MAX_AGE)

    def _follow_clock_back(self) -> None:
        """When the clock was set back, let the last success not lie ahead of what is told now: what was lost is seen so."""
        done = self._before.last_success_at
        if done is not None and done > self._now:
            self._repository.write_job(replace(self._before, last_success_at=self._now))

    def _minutes(self) -> list[datetime]:
        detection = self._settings.detection
        complete = complete_until(
            self._repository.newest_minute(),
            self._repository.watermarks(),
            self._now,
            delay=detection.delay,
            max_delay=detection.max_delay,
        )
        return minutes_to_judge(self.cursor, complete, self._now)

    def _fail(self, rules: Sequence[str], error: Exception) -> None:
        self._errors.append(f"rule {', '.join(rules)}: {error}")
        logger.warning("a rule was not evaluated, its incidents stay as they are: rules=%s error=%s", ",".join(rules), error)

    def _report(
        self, known: Iterable[Incident], minutes: Sequence[datetime], notices: Sequence[Notice], made: int
    ) -> AlertReport:
        firing = [incident for incident in known if incident.state.is_open]
        untold = sum(incident.last_notified_at is None for incident in firing)
        ALERTS_FIRING.labels(told="no").set(untold)
        ALERTS_FIRING.labels(told="yes").set(len(firing) - untold)
        told = [notice.reason for notice in notices]
        return AlertReport(
            judged_until=minutes[-1] if minutes else None,
            minutes=len(minutes),
            firing=len(firing),
            inhibited=sum(INHIBITED_BY in incident.labels for incident in firing),
            opened=told.count(NotifyReason.OPENED),
            repeated=told.count(NotifyReason.REPEATED),
            resolved=told.count(NotifyReason.RESOLVED),
            notifications=made,
            errors=tuple(self._errors),
            again_in=min(waits(firing, self._now, self._settings), default=None),
        )


def _write_failure(repository: Repository, state: JobState) -> None:
    try:
        repository.write_job(state)
    except TpscopeError as error:  # the store is what failed: the log has to do
        logger.warning("the failure of %s could not be recorded: %s", state.name, error)


def _whole_ms(moment: datetime) -> datetime:
    """As the store keeps it, so that what is read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
