"""Causes of what a review tells, looked up in the store: parts of the selection, changes, incidents, anomalies."""

from collections.abc import Sequence

from analytics.review_reading import compared, over
from analytics.reviewing.causing import anomaly_of, explains, incident_of, main_part, touching
from core.changes import Change, ChangeVerdict
from core.masks import holds
from core.review_periods import ReviewPeriod
from core.reviews import Cause, CauseChange, CausePart, Compared
from core.series import Selector
from core.types import Anomaly, Incident
from storage.anomalies import read_anomalies
from storage.changes import read_changes, read_verdicts
from storage.contract import Store

_PARTS = ("service", "route", "provider", "model", "tenant")
_MOST_CHANGES = 5
"""So many of the latest changes of a selection are looked at; each is a question."""


class Causes:
    """What is known of causes in a period, read once for all that is asked.

    Parameters
    ----------
    incidents, earlier : sequence of Incident
        Those that began in the period, and in the one before.
    """

    def __init__(self, store: Store, period: ReviewPeriod, incidents: Sequence[Incident], earlier: Sequence[Incident]) -> None:
        self._store, self._period = store, period
        self._incidents, self._earlier = incidents, earlier
        self._changes: list[Change] = read_changes(store, period.before, period.end)
        self._anomalies: list[Anomaly] = read_anomalies(store, period.start, period.end)

    def of(self, one: Compared) -> Cause:
        """Why it changed, as far as the store tells."""
        part = self._part(one)
        worse = one.change > 0.0
        incident = incident_of(one, part, self._incidents if worse else self._earlier)
        anomaly = anomaly_of(one, self._anomalies, self._period.start) if worse and incident is None else None
        return Cause(
            part=part,
            change=self._change(one),
            incident="" if incident is None else _incident_words(incident),
            anomaly="" if anomaly is None else f"{anomaly.started_at:%Y-%m-%d %H:%M} UTC: {anomaly.explanation}",
        )

    def _part(self, one: Compared) -> CausePart | None:
        spans = [(self._period.start, self._period.end), (self._period.before, self._period.start)]
        parts = [
            found
            for name in _PARTS
            if name not in one.selector.labels
            and (found := main_part(one, compared(self._store, one.metric, spans, (name,), one.selector))) is not None
        ]
        # Of several ways to cut, the one that says the most: the largest share of the change in a single part.
        return max(parts, key=lambda found: found.share if found.share <= 1.0 else 1.0 / found.share, default=None)

    def _change(self, one: Compared) -> CauseChange | None:
        """The latest change of the selection at which the metric made most of its step."""
        for change in touching(self._changes, one.selector)[:_MOST_CHANGES]:
            at = change.at.replace(second=0, microsecond=0)
            if not self._period.before < at < self._period.end or not self._reaches(change.selector, one):
                continue
            spans = [(at, self._period.end), (self._period.before, at)]
            split = compared(self._store, one.metric, spans, (), one.selector)
            if split and explains(one, split[0].before, split[0].value):
                return CauseChange(
                    id=change.id, words=change.words, at=change.at, after=split[0].value, before=split[0].before,
                    verdict=_verdict(read_verdicts(self._store, [change.id])),
                )  # fmt: skip
        return None

    def _reaches(self, changed: Selector, one: Compared) -> bool:
        """Whether most of the selection's calls are ones that the change is about, where their names do not say so."""
        if changed.transaction or holds(one.selector, changed) or holds(changed, one.selector):
            return not changed.transaction
        both = Selector.of({**changed.labels, **one.selector.labels})
        calls, _ = over(self._store, "tps", (self._period.start, self._period.end), (), both).get((), (0, 0.0))
        return 2 * calls >= one.calls


def _verdict(verdicts: Sequence[ChangeVerdict]) -> str:
    """The worst one."""
    found = {one.outcome for one in verdicts}
    return next((name for name in ("regression", "passed", "cannot_judge") if name in found), "")


def _incident_words(incident: Incident) -> str:
    cause = f"; cause: {incident.causes[0].text}" if incident.causes else ""
    return f"{incident.started_at:%Y-%m-%d %H:%M} UTC: {incident.title}{cause}"
