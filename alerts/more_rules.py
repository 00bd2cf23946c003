"""The kinds of rules that are judged as of now, not minute by minute: anomalies, objectives, absence, limits, budgets, and the
own pipeline.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.absence import judge_absence, spans_of
from alerts.budget import judge_budget, pace_span, period_at
from alerts.burn import judge_burn, lengths
from alerts.evaluate import judge_anomalies
from alerts.judgement import Judgement
from alerts.outlooks import judge_limits
from alerts.own_pipeline import LETTERS_SPAN, WATCHED_JOBS, judge_pipeline
from alerts.repository import Repository
from alerts.usage import UsageMemory
from alerts.windows import MAX_AGE, MINUTE
from core.clock import floor_to
from core.config import AbsenceRule, AnomalyRule, BudgetRule, ForecastRule, ObjectiveRule, PipelineRule, Rule, Settings
from core.errors import StoreError, StoreUnavailable
from core.series import Selector
from core.types import Incident, IncidentState

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
    usage : UsageMemory
        What budgets have used, as it was read lately.
    """

    def __init__(
        self,
        repository: Repository,
        settings: Settings,
        now: datetime,
        complete: datetime | None,
        known: Iterable[Incident],
        failed: Failed,
        usage: UsageMemory,
    ) -> None:
        self._repository, self._settings, self._now = repository, settings, now
        self._complete, self._failed, self._usage = complete, failed, usage
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
            return self._objective(rule)
        if isinstance(rule, AbsenceRule):
            return self._absence(rule)
        if isinstance(rule, ForecastRule):
            return judge_limits(rule, self._repository.outlooks(), self._now, self._open, self._zone)
        if isinstance(rule, BudgetRule):
            return self._budget(rule)
        return self._pipeline(rule) if isinstance(rule, PipelineRule) else None

    def _objective(self, rule: ObjectiveRule) -> Judgement | None:
        at = self._complete
        if at is None:
            return None
        objective = next(one for one in self._settings.objectives if one.name == rule.objective)
        spans = [(at - length, at) for length in lengths(rule)]
        selector = Selector.of({**objective.selector, **rule.selector})
        frame = self._repository.spans(objective.metric, spans, selector, rule.by)
        return judge_burn(rule, objective, frame, at, self._open)

    def _absence(self, rule: AbsenceRule) -> Judgement | None:
        """By the clock and not by what has arrived: where nothing arrives any more, that would stand still."""
        detection = self._settings.detection
        at = floor_to(self._now - detection.delay - detection.max_delay, MINUTE)
        first = self._repository.first_minute()
        if first is None:
            return None
        frame = self._repository.spans("tps", spans_of(rule, at), Selector.of(rule.selector), rule.by)
        return judge_absence(rule, frame, at, first, self._open)

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
