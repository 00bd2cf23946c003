"""The kinds of rules that are judged as of now, not minute by minute: objectives, absence, and tpscope's own pipeline."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from alerts.absence import judge_absence, spans_of
from alerts.burn import judge_burn, lengths
from alerts.judgement import Judgement
from alerts.own_pipeline import LETTERS_SPAN, WATCHED_JOBS, judge_pipeline
from alerts.repository import Repository
from alerts.windows import MINUTE
from core.clock import floor_to
from core.config import AbsenceRule, ObjectiveRule, PipelineRule, Rule, Settings
from core.errors import StoreError, StoreUnavailable
from core.series import Selector

Failed = Callable[[Sequence[str], Exception], None]


class MoreRules:
    """Judges them over the repository.

    Parameters
    ----------
    complete : datetime or None
        End of the newest minute that has arrived as a whole.
    open_fingerprints : collection of str
        Of incidents that have not ended: only their ends are of interest.
    failed : callable
        Told of rules that cannot be judged, with the reason.
    """

    def __init__(
        self,
        repository: Repository,
        settings: Settings,
        now: datetime,
        complete: datetime | None,
        open_fingerprints: Collection[str],
        failed: Failed,
    ) -> None:
        self._repository, self._settings, self._now = repository, settings, now
        self._complete, self._open, self._failed = complete, open_fingerprints, failed

    def judge(self) -> list[Judgement]:
        """One judgement a rule; a rule that cannot be judged is silent. Raises StoreUnavailable."""
        found = []
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

    def _of(self, rule: Rule) -> Judgement | None:
        if isinstance(rule, ObjectiveRule):
            return self._objective(rule)
        if isinstance(rule, AbsenceRule):
            return self._absence(rule)
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

    def _pipeline(self, rule: PipelineRule) -> Judgement:
        jobs = [state for name in WATCHED_JOBS if (state := self._repository.job(name)) is not None]
        watched = [job for job in jobs if job.name != "detection" or self._settings.detection.enabled]
        letters = self._repository.letters(self._now - LETTERS_SPAN)
        return judge_pipeline(rule, self._repository.watermarks(), watched, letters, self._now, self._open)
