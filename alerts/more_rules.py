"""The kinds of rules that are judged as of now, not minute by minute: anomalies, objectives, absence, limits, budgets, and the
own pipeline.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.about import objectives_of, spread
from alerts.absence import judge_absence, spans_of
from alerts.budget import judge_budget, pace_span, period_at
from alerts.burn import judge_burn, lengths
from alerts.evaluate import judge_anomalies
from alerts.judgement import Judgement, joined
from alerts.memory import AlertMemory
from alerts.outlooks import judge_limits
from alerts.own_pipeline import LETTERS_SPAN, WATCHED_JOBS, judge_pipeline
from alerts.repository import Repository
from alerts.verdicts import judge_changes
from alerts.windows import MAX_AGE, MINUTE
from core.clock import floor_to
from core.config import (
    AbsenceRule,
    AnomalyRule,
    BudgetRule,
    ChangeRule,
    ForecastRule,
    ObjectiveRule,
    ObjectiveSettings,
    PipelineRule,
    Rule,
    Settings,
)
from core.errors import StoreError, StoreUnavailable
from core.series import Selector
from core.types import Incident, IncidentState, JobState

COUNTING_JOB = "transactions"
_LAST_LOOK = timedelta(hours=25)
"""No verdict comes later after its change."""

Failed = Callable[[Sequence[str], Exception], None]


class MoreRules:
    """Judges them over the repository.

    Parameters
    ----------
    complete : datetime or None
        End of the newest minute that has arrived as a whole.
    known : iterable of Incident
        Incidents that have not ended, among others: only their ends are of interest.
    failed : callable
        Told of rules that cannot be judged, with the reason.
    memory : AlertMemory
        What budgets have used, and what objectives are judged by, as it was read lately.
    """

    def __init__(
        self,
        repository: Repository,
        settings: Settings,
        now: datetime,
        complete: datetime | None,
        known: Iterable[Incident],
        failed: Failed,
        memory: AlertMemory,
    ) -> None:
        self._repository, self._settings, self._now = repository, settings, now
        self._complete, self._failed, self._memory, self._usage = complete, failed, memory, memory.usage
        self._counted: tuple[JobState | None] | None = None
        alive = [one for one in known if one.state is not IncidentState.RESOLVED]
        self._open = {one.fingerprint for one in alive}
        self._oldest = min((one.started_at for one in alive if one.anomaly_id and one.state.is_open), default=now)
        self._zone = ZoneInfo(settings.time_zone)

    def judge(self) -> list[Judgement]:
        """One judgement a rule; a rule that cannot be judged is silent. Raises StoreUnavailable."""
        found = self._anomalies()
        for rule in self._settings.rules:
            try:
                judgement = self._of(rule)
            except StoreUnavailable:
                raise
            except (StoreError, ValueError) as error:
                self._failed([rule.name], error)
                continue
            if judgement is not None:
                found.append(judgement)
        return found

    def _anomalies(self) -> list[Judgement]:
        """From one read of the anomalies since the oldest one with a firing incident."""
        rules = [rule for rule in self._settings.rules if isinstance(rule, AnomalyRule)]
        if not rules:
            return []
        try:
            anomalies = self._repository.anomalies(min(self._now - MAX_AGE, self._oldest), self._now + MAX_AGE)
        except StoreUnavailable:
            raise
        except StoreError as error:
            self._failed([rule.name for rule in rules], error)
            return []
        return [judge_anomalies(rule, anomalies, self._now, self._zone) for rule in rules]

    def _of(self, rule: Rule) -> Judgement | None:
        if isinstance(rule, ObjectiveRule):
            return self._objectives(rule)
        if isinstance(rule, AbsenceRule):
            return self._absence(rule)
        if isinstance(rule, ForecastRule):
            return judge_limits(rule, self._repository.outlooks(), self._now, self._open, self._zone)
        if isinstance(rule, BudgetRule):
            return self._budget(rule)
        if isinstance(rule, ChangeRule):
            return self._changes(rule)
        return self._pipeline(rule) if isinstance(rule, PipelineRule) else None

    def _objectives(self, rule: ObjectiveRule) -> Judgement | None:
        """Of all objectives that the rule watches."""
        at = self._complete
        if at is None:
            return None
        return joined([self._objective(rule, one, at) for one in objectives_of(rule, self._settings)])

    def _objective(self, rule: ObjectiveRule, objective: ObjectiveSettings, at: datetime) -> Judgement:
        spans = [(at - length, at) for length in lengths(rule)]
        definition = self._settings.definition(objective.transaction) if objective.transaction else None
        if definition is None:
            selector = Selector.of({**objective.selector, **rule.selector})
            # Days of minutes, which change when another one is complete; not every five seconds.
            frame = self._memory.latest(
                (rule.name, objective.name),
                (objective, tuple(spans), selector, rule.by),
                lambda: self._repository.spans(objective.metric, spans, selector, rule.by),
            )
            return judge_burn(rule, objective, frame, at, self._open)
        # They change when a minute is complete, and when it is counted.
        key = (definition.version, objective, tuple(spans), self._counted_until())
        frame = self._memory.latest(
            (rule.name, objective.name), key, lambda: self._repository.shares(objective, definition, spans)
        )
        return judge_burn(rule, objective, frame, at, self._open, definition.selection)

    def _absence(self, rule: AbsenceRule) -> Judgement:
        return joined([self._absence_of(one) for one in spread(rule, self._settings)])

    def _absence_of(self, rule: AbsenceRule) -> Judgement:
        """By the clock and not by what has arrived: where nothing arrives any more, that would stand still."""
        detection, selector = self._settings.detection, Selector.of(rule.selector)
        at = floor_to(self._now - detection.delay - detection.max_delay, MINUTE)
        if selector.transaction:
            # What is not counted yet is not absent.
            at = min(at, floor_to(self._counted_until() or at, MINUTE))
        first = self._repository.first_minute()
        if first is None:
            return Judgement()
        frame = self._repository.spans("tps", spans_of(rule, at), selector, rule.by)
        return judge_absence(rule, frame, at, first, self._open)

    def _counted_until(self) -> datetime | None:
        """How far transactions are counted; None where they never were."""
        if self._counted is None:
            self._counted = (self._repository.job(COUNTING_JOB),)
        job = self._counted[0]
        return job.cursor if job else None

    def _budget(self, rule: BudgetRule) -> Judgement:
        """By the clock: what has arrived of a period is spent, whatever else may come."""
        at, selector = floor_to(self._now, MINUTE), Selector.of(rule.selector)
        period = period_at(rule, at, self._zone)

        def read(start: datetime) -> pd.DataFrame:
            return self._repository.spent(rule.of, start, at, selector, rule.by)

        spent = self._usage.read((rule.name, "spent"), (rule, period), at, lambda: read(period.start))
        pace = self._usage.read((rule.name, "pace"), rule, at, lambda: read(at - pace_span(rule)))
        return judge_budget(rule, spent, pace, period, at, self._open, self._zone)

    def _pipeline(self, rule: PipelineRule) -> Judgement:
        jobs = [state for name in WATCHED_JOBS if (state := self._repository.job(name)) is not None]
        watched = [job for job in jobs if job.name != "detection" or self._settings.detection.enabled]
        letters = self._repository.letters(self._now - LETTERS_SPAN)
        return judge_pipeline(rule, self._repository.watermarks(), watched, letters, self._now, self._open)

    def _changes(self, rule: ChangeRule) -> Judgement:
        """Read once a minute: the job that judges changes is no quicker."""
        since = self._now - rule.hold - _LAST_LOOK
        asked = (rule, floor_to(self._now, MINUTE))
        judged = self._memory.latest(rule.name, asked, lambda: self._repository.verdicts(since))
        return judge_changes(rule, judged, self._now, self._open)
