"""One evaluation of all rules: reads what is stored, lets the pure parts decide, writes incidents and the outbox."""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.causes import DIMENSIONS as CAUSE_DIMENSIONS
from alerts.causes import rank
from alerts.evaluate import Verdicts, judge_anomalies, judge_threshold, judge_windows
from alerts.inhibition import INHIBITED_BY, selection
from alerts.judgement import Firing, Judgement
from alerts.late_data import LateData
from alerts.live import is_live, judge_live, merged, span_at
from alerts.masking import masks_of
from alerts.more_rules import MoreRules
from alerts.outbox import make, missing
from alerts.repository import Repository, WindowQuery
from alerts.silences import maintenance
from alerts.state import decide
from alerts.step import Notice
from alerts.usage import UsageMemory
from alerts.windows import MAX_AGE, MINUTE, complete_until, first_end_for, minutes_to_judge
from core.clock import Clock
from core.config import AnomalyRule, Settings, ThresholdRule
from core.errors import StoreError, StoreUnavailable, TpscopeError
from core.series import Selector
from core.telemetry import ALERTS_FIRING, ALERTS_SECONDS
from core.types import Incident, IncidentState, JobState, Notification, NotifyReason, RankedCause

logger = logging.getLogger(__name__)

JOB = "alerts"
_FIRST_LOOK = timedelta(days=7)
_MOST_EXPLAINED = 5
_MILLISECOND = timedelta(milliseconds=1)

_Read = tuple[str, Selector, tuple[str, ...], timedelta]


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


def evaluate(repository: Repository, clock: Clock, settings: Settings, usage: UsageMemory | None = None) -> AlertReport:
    """Evaluate all rules as of now, write the incidents that changed and what must be told, and how it went.

    Raises the store's errors; the job's state then says so, as far as it can be written, and the next run catches up. `usage`
    spares readings of budgets when it is given again; without it they are read anew.
    """
    now, began = _whole_ms(clock.now()), time.perf_counter()
    before = repository.job(JOB) or JobState(
        name=JOB, cursor=None, last_success_at=None, last_error_at=None, last_error="", duration_s=0.0
    )
    try:
        evaluation = _Evaluation(repository, settings, now, before, usage or UsageMemory())
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
    return report


class _Evaluation:
    """One run; `cursor` is how far has been judged."""

    def __init__(self, repository: Repository, settings: Settings, now: datetime, before: JobState, usage: UsageMemory) -> None:
        self._repository, self._settings, self._now, self._before = repository, settings, now, before
        self._usage = usage
        self._zone = ZoneInfo(settings.time_zone)
        self.cursor = before.cursor
        self._errors: list[str] = []

    def run(self) -> AlertReport:
        known = {incident.id: incident for incident in self._repository.incidents(self._known_since())}
        before = list(known.values())
        self.cursor = max(filter(None, (self.cursor, *(one.judged_until for one in known.values()))), default=None)
        made = self._tell(self._lost(known.values()))
        self._follow_clock_back()
        minutes = self._minutes()
        verdicts = self._verdicts(minutes)
        others = self._anomalies(known.values()) + self._more(known.values(), minutes)
        silences = [*maintenance(self._settings, self._now), *self._repository.silences(self._now)]
        actions = self._repository.actions(self._known_since())
        live, last = self._live(), minutes[-1] if minutes else self._now
        events: list[Incident] = []
        notices: list[Notice] = []
        for number, at in enumerate(minutes or [self._now]):
            judged = self._judge(verdicts, at, known.values())
            judgements = (merged(judged, live) if at == last else judged) + others
            # A millisecond apart, so that messages about minutes caught up on keep their order.
            decision = decide(
                known.values(),
                judgements,
                self._now + number * _MILLISECOND,
                self._settings,
                silences=silences,
                actions=actions,
            )
            known.update((incident.id, incident) for incident in decision.updates)
            events += decision.updates
            notices += decision.notices
        events, notices = self._explain(events, notices)
        late = LateData(self._repository, self._settings, self._now).judge(known)
        events, notices = events + late.events, notices + late.notices
        # Written with them in one insert: a crash before the job's own state would have them judged again from a later state.
        self.cursor = last if minutes else self.cursor
        events = [replace(one, judged_until=self.cursor) for one in events]
        # Masks before the incident's end that closes them: after a crash in between they are only written again.
        self._repository.write_masks(masks_of(before, known.values(), self._now))
        # Incidents first: they say what must be in the outbox, so that a crash between the two can be made good.
        self._repository.write_incidents(events)
        made += self._tell(notices)
        return self._report(known.values(), minutes, notices, made)

    def _explain(self, events: list[Incident], notices: list[Notice]) -> tuple[list[Incident], list[Notice]]:
        """Both with the causes of what is told for the first time; an explanation that cannot be read costs no message."""
        found: dict[str, tuple[RankedCause, ...]] = {}
        new = (one.incident for one in notices if one.reason is NotifyReason.OPENED and one.incident.kind == "threshold")
        for incident in list(new)[:_MOST_EXPLAINED]:
            try:
                causes = (*incident.causes, *self._causes(incident))
            except StoreUnavailable:
                raise
            except StoreError as error:
                logger.warning("an incident is told without its causes: id=%s error=%s", incident.id, error)
                continue
            found[incident.id] = tuple({cause.text: cause for cause in reversed(causes)}.values())[::-1]
        return (
            [replace(one, causes=found.get(one.id, one.causes)) for one in events],
            [replace(one, incident=_with_causes(one.incident, found)) for one in notices],
        )

    def _causes(self, incident: Incident) -> tuple[RankedCause, ...]:
        about = selection(incident.labels)
        start = max(incident.started_at, self._now - MAX_AGE)
        end = max(self._now, start + MINUTE)
        others = [name for name in CAUSE_DIMENSIONS if name not in about]
        parts = {name: self._repository.parts(name, start, end, Selector.of(about)) for name in others}
        return rank(incident.metric, parts)

    def _known_since(self) -> datetime:
        """How far back ended incidents matter: to those that ended while nobody looked, and a little further."""
        done = self._before.last_success_at
        return (min(done, self._now) if done else self._now - _FIRST_LOOK) - 2 * MAX_AGE

    def _lost(self, known: Iterable[Incident]) -> list[Notice]:
        """What the last run decided to tell but did not bring into the outbox before it was killed."""
        done = self._before.last_success_at
        suspects = [
            incident
            for incident in known
            if (told_at := incident.last_notified_at) is not None and (done is None or told_at >= done or done > self._now)
        ]
        stored = self._stored({incident.id for incident in suspects})
        return [notice for incident in suspects for notice in missing(incident, stored[incident.id])]

    def _follow_clock_back(self) -> None:
        """After the clock was set back, let the last success not lie ahead of what is told now: `_lost` compares the two."""
        done = self._before.last_success_at
        if done is not None and done > self._now:
            self._repository.write_job(replace(self._before, last_success_at=self._now))

    def _tell(self, notices: Sequence[Notice]) -> int:
        """Put what must be told into the outbox; returns how many messages that is."""
        # Ends and reminders go to those who were told of the opening, before this run or in it.
        stored = self._stored({notice.incident.id for notice in notices if notice.reason is not NotifyReason.OPENED})
        messages: list[Notification] = []
        for notice in notices:
            made = make(notice, stored[notice.incident.id], self._now, self._settings)
            stored[notice.incident.id] += made
            messages += made
            logger.info(
                "incident %s: id=%s fingerprint=%s because=%s",
                notice.reason.value, notice.incident.id, notice.incident.fingerprint, notice.cause.value,
            )  # fmt: skip
        self._repository.write_notifications(messages)
        return len(messages)

    def _stored(self, incident_ids: Collection[str]) -> dict[str, list[Notification]]:
        """The outbox by incident; an incident without any message has an empty list."""
        found: dict[str, list[Notification]] = defaultdict(list)
        for notification in self._repository.notifications_of(incident_ids):
            found[notification.incident_id].append(notification)
        return found

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

    def _verdicts(self, minutes: Sequence[datetime]) -> list[Verdicts]:
        """Verdicts of all threshold rules; rules that ask for the same windows share one read."""
        groups: dict[_Read, list[ThresholdRule]] = {}
        for rule in self._settings.rules if minutes else ():
            if isinstance(rule, ThresholdRule):
                groups.setdefault((rule.metric, Selector.of(rule.selector), rule.by, rule.window), []).append(rule)
        found: list[Verdicts] = []
        for (metric, selector, by, window), rules in groups.items():
            need = max(max(rule.hold, rule.recover_after) + rule.delay for rule in rules)
            query = WindowQuery(
                metric=metric, selector=selector, by=by, window=window,
                first_end=first_end_for(minutes, need), last_end=minutes[-1],
            )  # fmt: skip
            try:
                frame = self._repository.windows(query)
            except StoreUnavailable:
                raise
            except (StoreError, ValueError) as error:  # this question cannot be answered; the other rules' may
                self._fail([rule.name for rule in rules], error)
                continue
            found += [judge_windows(rule, frame) for rule in rules]
        return found

    def _judge(self, verdicts: Sequence[Verdicts], at: datetime, known: Iterable[Incident]) -> list[Judgement]:
        firing = {incident.fingerprint for incident in known if incident.state is not IncidentState.RESOLVED}
        return [judge_threshold(one, at - one.rule.delay, firing, self._zone) for one in verdicts]

    def _anomalies(self, known: Iterable[Incident]) -> list[Judgement]:
        """Judgements of all anomaly rules, from the anomalies since the oldest one with a firing incident."""
        rules = [rule for rule in self._settings.rules if isinstance(rule, AnomalyRule)]
        if not rules:
            return []
        firing = [one.started_at for one in known if one.anomaly_id and one.state.is_open]
        since = min([self._now - MAX_AGE, *firing])
        try:
            anomalies = self._repository.anomalies(since, self._now + MAX_AGE)
        except StoreUnavailable:
            raise
        except StoreError as error:
            self._fail([rule.name for rule in rules], error)
            return []
        return [judge_anomalies(rule, anomalies, self._now, self._zone) for rule in rules]

    def _live(self) -> list[Firing]:
        """What the threshold rules say of the seconds just past."""
        found: list[Firing] = []
        for rule in self._settings.rules:
            if not isinstance(rule, ThresholdRule) or not is_live(rule):
                continue
            selector, spans = Selector.of(rule.selector), [span_at(rule, self._now)]
            try:
                frame = self._repository.spans(rule.metric, spans, selector, rule.by, unit_s=1)
            except StoreUnavailable:
                raise
            except (StoreError, ValueError) as error:
                self._fail([rule.name], error)
                continue
            found += judge_live(rule, frame, self._now, self._zone).firings
        return found

    def _more(self, known: Iterable[Incident], minutes: Sequence[datetime]) -> list[Judgement]:
        alive = {incident.fingerprint for incident in known if incident.state is not IncidentState.RESOLVED}
        complete = minutes[-1] if minutes else None
        return MoreRules(self._repository, self._settings, self._now, complete, alive, self._fail, self._usage).judge()

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
        )


def _with_causes(incident: Incident, found: Mapping[str, tuple[RankedCause, ...]]) -> Incident:
    return replace(incident, causes=found.get(incident.id, incident.causes))


def _write_failure(repository: Repository, state: JobState) -> None:
    try:
        repository.write_job(state)
    except TpscopeError as error:  # the store is what failed: the log has to do
        logger.warning("the failure of %s could not be recorded: %s", state.name, error)


def _whole_ms(moment: datetime) -> datetime:
    """As the store keeps it, so that what is read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
