"""What crosses a room's border: frozen values, times in aware UTC, units in the names.

Frames cross as well (between storage, analytics and figures); their columns are in the docstrings of the storage functions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.series import ALL_CALLS, Direction, Selector

QUANTILE_LEVELS: tuple[float, ...] = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
QUANTILE_COLUMNS: tuple[str, ...] = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineVersion:
    """What a set of baselines was built from.

    Attributes
    ----------
    version : str
        Sorts by time of building; every anomaly carries it.
    trained_from, trained_to : datetime
        First and last instant of the history that was used (half open).
    """

    version: str
    built_at: datetime
    trained_from: datetime
    trained_to: datetime
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """A selection whose history is too short for a baseline: nothing of it is judged, and nothing pages."""

    selector: Selector
    have_h: float
    need_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One metric of one selection, and how much of an anomaly's score it explains.

    Attributes
    ----------
    observed, expected, lower, upper : float
        In the metric's unit; NaN where unknown.
    share : float
        Part of the score in [0, 1]; the contributions of an anomaly sum to at most 1.
    """

    selector: Selector
    metric: str
    observed: float
    expected: float
    lower: float
    upper: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A selection of calls that explains an anomaly: one value of a dimension, a pair of two, or all traffic.

    Attributes
    ----------
    observed, expected : float
        What the leading metric was in the selection over the anomaly's window, and what it was before; in the metric's unit.
    share : float
        Part of the whole deviation that lies in the selection, in [0, 1].
    surprise : float
        Evidence for the selection being the source: a logarithmic likelihood ratio in nats; ranks causes.
    """

    selector: Selector
    observed: float
    expected: float
    share: float
    surprise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A series that moved along: `lag_minutes` above 0 where it moved before the leading one, below where after it."""

    selector: Selector
    metric: str
    lag_minutes: int
    correlation: float


class AnomalyVerdict(StrEnum):
    """What late data made of an anomaly that was told already."""

    STANDS = "stands"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A run of minutes in which a series, or a set of them, left what its model expects. An observation, not an alert.

    Attributes
    ----------
    id : str
        The same for every update of one anomaly.
    started_at, last_at : datetime
        First and last anomalous minute (start of the minute).
    ended_at : datetime or None
        Start of the first minute of the run of normal minutes that ended it; None while it lasts.
    selector, metric : Selector, str
        The leading series: what the explanation ranks first.
    score : float
        At least 0, the highest of the run; 1.0 is the edge of the expected range.
    severity : float
        In [0, 1], smooth; ranks anomalies.
    explanation : str
        One or two sentences for people: what left its range, where, since when, what else moved.
    mask_id, muted : str, bool
        The mask that speaks of it, and whether that wants no message; empty where there is none.
    opened_at : datetime or None
        When it was known: the end of the minute whose judgement opened it.
    causes : tuple of Cause
        Selections that explain it, the likeliest first; pairs of dimensions among them.
    hint, evidence : str
        What kind of trouble the data supports (`provider outage`, `rate limiting` …) and by what; empty where it supports none.
    unmoved : tuple of str
        Metrics of the leading selection that stayed within their ranges.
    related : tuple of Related
        Other series that moved with it, by lagged correlation.
    """

    id: str
    started_at: datetime
    last_at: datetime
    ended_at: datetime | None
    selector: Selector
    metric: str
    direction: Direction
    score: float
    severity: float
    observed: float
    expected: float
    lower: float
    upper: float
    contributions: tuple[Contribution, ...]
    explanation: str
    model_version: str
    baseline_version: str
    mask_id: str = ""
    muted: bool = False
    opened_at: datetime | None = None
    causes: tuple[Cause, ...] = ()
    hint: str = ""
    evidence: str = ""
    unmoved: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    verdict: AnomalyVerdict = AnomalyVerdict.STANDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRun:
    """One forecast of one series, as stored: its frame has `ts`, `mean` and the columns of `QUANTILE_COLUMNS`.

    Attributes
    ----------
    level : str
        Step between points, for example `1h`.
    error_mase : float
        Error of the same model replayed on held-out history, relative to the seasonal naive of one week; NaN: too short.
    choice_version : str
        The back-test that chose the model; empty where it was chosen on the spot.
    note : str
        What cannot be known from so little history; empty where nothing is missing.
    """

    version: str
    made_at: datetime
    selector: Selector
    metric: str
    unit: str
    model: str
    step: str
    trained_from: datetime
    trained_to: datetime
    error_mase: float
    choice_version: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastBacktest:
    """How forecasts of one series over one horizon did on its own history.

    Attributes
    ----------
    mase, mean4_mase : float
        Error of the median, and of the mean of the last four weeks, relative to repeating the last week; NaN where that is
        never wrong.
    wql, wql95 : float
        Weighted quantile loss over all quantiles, and at the 95 % quantile.
    coverage90 : float
        Share of what came that lay between the 5 % and the 95 % quantile.
    origins : int
        From how many past moments it was forecast.
    """

    version: str
    made_at: datetime
    metric: str
    selector: Selector
    horizon_h: int
    origins: int
    history_from: datetime
    history_to: datetime
    mase: float
    wql: float
    wql95: float
    coverage90: float
    mean4_mase: float


class IncidentState(StrEnum):
    """The life of an incident: `pending` has not held long enough; `recovering` is gone, but not for long enough."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RECOVERING = "recovering"
    RESOLVED = "resolved"

    @property
    def is_open(self) -> bool:
        """Whether it has fired and has not ended."""
        return self in (IncidentState.FIRING, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCause:
    """One thing that explains an incident, in words, and its part of it in [0, 1]."""

    text: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What alerting opens, groups, repeats and resolves. Stored as append-only events; this is the latest state.

    Attributes
    ----------
    id : str
        The same from opening to resolution; a later firing of the same fingerprint is a new incident.
    fingerprint : str
        Rule and group labels: at most one incident per fingerprint fires at a time.
    rule, kind : str
        The rule's name and kind (`threshold`, `anomaly`).
    value, threshold : float
        What was observed and what it was judged by, in `unit`; NaN where the kind has none.
    anomaly_id : str
        The anomaly behind it; empty for other kinds.
    last_notified_at : datetime or None
        When a message about it was last put into the outbox; the repeat interval counts from here.
    opened_at : datetime or None
        When it began to fire; None while it is pending, and for one that never did.
    snoozed_until : datetime or None
        Until when nothing is repeated, because somebody said so.
    causes : tuple of RankedCause
        What explains it, the largest share first.
    lower, upper : float
        The expected range, in `unit`; NaN where the kind has none.
    judged_until : datetime or None
        How far the evaluation that decided on this state had judged.
    """

    id: str
    fingerprint: str
    state: IncidentState
    rule: str
    kind: str
    severity: Severity
    labels: Mapping[str, str]
    title: str
    summary: str
    started_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    last_notified_at: datetime | None
    metric: str
    value: float
    threshold: float
    unit: str
    anomaly_id: str = ""
    runbook: str = ""
    opened_at: datetime | None = None
    snoozed_until: datetime | None = None
    causes: tuple[RankedCause, ...] = ()
    lower: float = math.nan
    upper: float = math.nan
    judged_until: datetime | None = None


class NotifyReason(StrEnum):
    OPENED = "opened"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    REVIEW = "review"
    """Of no incident: a performance review in few words."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one receiver: a row of the outbox. Written before it is sent, so that a crash loses none.

    Attributes
    ----------
    id : str
        Made of incident, receiver, reason and ordinal: sent as the idempotency key, so a repeat can be told.
    payload : str
        The JSON body, rendered once when the notification was made.
    reference : str
        What the chat calls the message that it took; later ones go into its thread.
    """

    id: str
    incident_id: str
    receiver: str
    reason: NotifyReason
    state: DeliveryState
    created_at: datetime
    updated_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    error: str
    payload: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is muted from when to when: it is scored and shown all the same.

    Attributes
    ----------
    match : mapping
        Labels that an incident must have; a value `~REGEX` is a regular expression; empty matches everything.
    """

    id: str
    match: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    created_by: str = ""
    comment: str = ""


class Action(StrEnum):
    """What people can say of an incident from a message."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAction:
    """Something that somebody said of an incident.

    Attributes
    ----------
    id : str
        The nonce of the link that was used.
    receiver : str
        Whose message the link was in.
    until : datetime or None
        End of a snooze.
    """

    id: str
    incident_id: str
    action: Action
    receiver: str
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The last state that a job reported.

    Attributes
    ----------
    cursor : datetime or None
        Everything before it is done; the job goes on from here after downtime.
    """

    name: str
    cursor: datetime | None
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be read, with where it came from and why.

    Attributes
    ----------
    reason : str
        Short fixed word, counted by.
    payload : bytes
        The record's bytes, cut at the configured size.
    size_bytes : int
        The record's size before the cut.
    """

    received_at: datetime
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    payload: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """One metric of one selection over a half-open span, at a step.

    Attributes
    ----------
    step_s : int
        Width of a point in seconds; a multiple of 60 except for `tps` and `error_rate`, which also have seconds.
    by : tuple of str
        Dimensions to split by; each combination is a series of its own.
    """

    metric: str
    start: datetime
    end: datetime
    step_s: int
    selector: Selector = ALL_CALLS
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far the calls of one partition have arrived: event time against arrival time.

    Attributes
    ----------
    event_at : datetime
        The newest `ts` written.
    delay_s : float
        Arrival minus event time of the last batch, its 95th percentile.
    topic_id : str
        The broker's id of the topic, which differs when a topic is made again; empty where it has none.
    lag : int
        Records of the partition that were not written when the batch was begun, itself included.
    records, attempts : int
        How many the last batch had, and how often it was tried.
    """

    topic: str
    partition: int
    event_at: datetime
    arrived_at: datetime
    next_offset: int
    delay_s: float
    topic_id: str = ""
    lag: int = 0
    records: int = 0
    attempts: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)
