"""Threshold rules over what is stored: the windows of all minutes to judge in one read, and the seconds just past."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.about import spread
from alerts.evaluate import Verdicts, judge_threshold, judge_windows
from alerts.judgement import Firing, Judgement
from alerts.live import is_live, judge_live, span_at
from alerts.more_rules import Failed
from alerts.repository import Repository, WindowQuery
from alerts.windows import first_end_for
from core.config import Settings, ThresholdRule
from core.errors import StoreError, StoreUnavailable
from core.series import Selector
from core.types import Incident, IncidentState

_Read = tuple[str, Selector, tuple[str, ...], timedelta]


class ThresholdRules:
    """Reads what the rules need, as of `now`; `failed` is told of rules that cannot be judged. Raises StoreUnavailable."""

    def __init__(self, repository: Repository, settings: Settings, now: datetime, failed: Failed) -> None:
        self._repository, self._now, self._failed = repository, now, failed
        written = (rule for rule in settings.rules if isinstance(rule, ThresholdRule))
        self._rules = [one for rule in written for one in spread(rule, settings)]
        self._zone = ZoneInfo(settings.time_zone)

    def read(self, minutes: Sequence[datetime]) -> list[Verdicts]:
        """Verdicts of all rules on these ends of minutes; rules that ask for the same windows share one read."""
        groups: dict[_Read, list[ThresholdRule]] = {}
        for rule in self._rules if minutes else ():
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
                self._failed([rule.name for rule in rules], error)
                continue
            found += [judge_windows(rule, frame) for rule in rules]
        return found

    def judge(self, verdicts: Sequence[Verdicts], at: datetime, known: Iterable[Incident]) -> list[Judgement]:
        """What the rules say of the minute that ends at `at`."""
        firing = {incident.fingerprint for incident in known if incident.state is not IncidentState.RESOLVED}
        return [judge_threshold(one, at - one.rule.delay, firing, self._zone) for one in verdicts]

    def live(self) -> list[Firing]:
        """What they say of the seconds just past."""
        found: list[Firing] = []
        for rule in self._rules:
            if not is_live(rule):
                continue
            selector, spans = Selector.of(rule.selector), [span_at(rule, self._now)]
            try:
                frame = self._repository.spans(rule.metric, spans, selector, rule.by, unit_s=1)
            except StoreUnavailable:
                raise
            except (StoreError, ValueError) as error:
                self._failed([rule.name], error)
                continue
            found += judge_live(rule, frame, self._now, self._zone).firings
        return found
