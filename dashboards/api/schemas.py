"""The shapes of the API's answers, for its description; tests hold the answers to them.

One idea, one module: every shape is to be found here. Times are RFC 3339 in UTC; null is unknown.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Labels = dict[str, str]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Span(Shape):
    from_: str = Field(alias="from")
    to: str


class SessionAnswer(Shape):
    name: str
    scope: str
    via: str
    tenants: list[str]
    csrf_token: str | None


class SeriesLine(Shape):
    labels: Labels
    points: list[tuple[str, float | None]]


class SeriesAnswer(_Span):
    metric: str
    unit: str
    step_s: int
    time_zone: str
    complete_until: str | None
    series: list[SeriesLine]
    transaction: str | None = None
    version: str | None = None
    weight: float | None = None


class CallsAnswer(_Span):
    calls: list[dict[str, Any]] = Field(description="Every field of the call record; null is unknown.")
    next_cursor: str | None


class RefusedLineShape(Shape):
    line: int
    reason: str
    detail: str


class PostedAnswer(Shape):
    records: int
    written: int
    rejected: int
    refused: list[RefusedLineShape]
    repeated: bool


class ContributionShape(Shape):
    metric: str
    selector: Labels
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    share: float | None


class CauseShape(Shape):
    selector: Labels
    observed: float | None
    expected: float | None
    share: float | None


class AnomalyShape(Shape):
    id: str
    started_at: str
    last_at: str
    ended_at: str | None
    opened_at: str | None
    metric: str
    unit: str
    selector: Labels
    direction: str
    score: float | None
    severity: float | None
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    explanation: str | None
    hint: str | None
    evidence: str | None
    verdict: str
    contributions: list[ContributionShape]
    causes: list[CauseShape]
    model_version: str
    baseline_version: str
    mask_id: str | None
    muted: bool


class AnomaliesAnswer(_Span):
    anomalies: list[AnomalyShape]
    next_cursor: str | None


class IncidentCause(Shape):
    text: str
    share: float | None


class IncidentShape(Shape):
    id: str
    fingerprint: str
    state: str
    severity: str
    rule: str
    kind: str
    labels: Labels
    title: str
    summary: str | None
    started_at: str
    opened_at: str | None
    updated_at: str
    resolved_at: str | None
    snoozed_until: str | None
    metric: str
    value: float | None
    threshold: float | None
    unit: str
    causes: list[IncidentCause]
    anomaly_id: str | None
    runbook: str | None


class IncidentsAnswer(_Span):
    incidents: list[IncidentShape]
    next_cursor: str | None


class IncidentEvent(Shape):
    at: str
    state: str
    severity: str
    value: float | None


class MessageShape(Shape):
    id: str
    receiver: str
    reason: str
    state: str
    created_at: str
    updated_at: str
    attempts: int
    error: str | None


class IncidentAnswer(Shape):
    incident: IncidentShape
    history: list[IncidentEvent]
    messages: list[MessageShape]


class ActionAnswer(Shape):
    id: str
    incident_id: str
    action: str
    at: str
    until: str | None
    who: str


class BacktestShape(Shape):
    horizon_h: int
    origins: int
    made_at: str
    mase: float | None
    mean4_mase: float | None
    wql: float | None
    wql95: float | None
    coverage90: float | None


class ForecastShape(Shape):
    version: str
    metric: str
    selector: Labels
    unit: str
    model: str
    step: str
    made_at: str
    trained_from: str
    trained_to: str
    error_mase: float | None
    choice_version: str
    note: str
    backtests: list[BacktestShape]


class ForecastsAnswer(Shape):
    forecasts: list[ForecastShape]
    next_cursor: str | None


class ForecastPointsAnswer(Shape):
    forecast: ForecastShape
    columns: list[str]
    points: list[list[str | float | None]]


class ObjectiveShape(Shape):
    name: str
    transaction: str | None
    transaction_version: str | None
    metric: str
    unit: str
    selector: Labels
    target: float | None
    under_ms: float | None
    at_most: float | None
    at_least: float | None
    measure: str
    window: str
    from_: str = Field(alias="from")
    to: str
    ends: str
    counted_from: str | None
    description: str
    value: float | None
    calls: int
    bad: float | None
    low_traffic: bool
    kept: bool | None
    budget_left: float | None
    burn_rates: dict[str, float | None]
    exhausted_in_s: float | None


class ObjectivesAnswer(_Span):
    objectives: list[ObjectiveShape]


class BaselineShape(Shape):
    version: str
    built_at: str
    trained_from: str
    trained_to: str
    series: int


class FrozenShape(Shape):
    name: str
    made_at: str
    who: str
    from_: str = Field(alias="from")
    to: str
    selector: Labels
    transaction: str | None
    transaction_version: str | None


class BaselinesAnswer(Shape):
    in_force: BaselineShape | None
    frozen: list[FrozenShape]


class BaselinePointsAnswer(Shape):
    version: str
    metric: str
    unit: str
    selector: Labels
    columns: list[str]
    slots: list[list[float | int | None]]


class SilenceShape(Shape):
    id: str
    match: Labels
    from_: str = Field(alias="from")
    until: str
    created_by: str
    comment: str


class SilencesAnswer(Shape):
    silences: list[SilenceShape]
    next_cursor: str | None


class MaskShape(Shape):
    id: str
    kind: str
    from_: str = Field(alias="from")
    until: str | None
    selector: Labels
    who: str
    why: str
    made_at: str
    anomaly: str | None


class NewMaskAnswer(MaskShape):
    anomalies: list[str]


class MasksAnswer(Shape):
    masks: list[MaskShape]
    next_cursor: str | None


class EffectShape(Shape):
    measure: str
    of: Labels
    unit: str
    before: float | None
    after: float | None
    lower: float | None
    upper: float | None


class OutcomeShape(Shape):
    checked_at: str
    calls: int
    measured: float
    verdict: str


class RecommendationShape(_Span):
    id: str
    rule: str
    selector: Labels
    action: str
    evidence: list[str]
    effect: EffectShape
    gain: float
    gain_of: str
    confidence: float
    verify: str
    scenario: dict[str, Any] | None
    found_at: str
    state: str
    who: str | None
    why: str | None
    decided_at: str | None
    outcome: OutcomeShape | None


class RecommendationsAnswer(Shape):
    recommendations: list[RecommendationShape]
    next_cursor: str | None


class PredictedMetricShape(Shape):
    name: str
    unit: str
    before: float | None
    after: float | None
    lower: float | None
    upper: float | None


class PredictionShape(_Span):
    name: str
    calls: int
    sampled: float
    confidence: float
    refusals: list[str]
    metrics: list[PredictedMetricShape]
    effects: list[str]
    assumptions: list[str]


class WhatIfShape(Shape):
    id: str
    state: str
    progress: float
    waits_for: int
    asked_at: str
    ended_at: str | None
    problem: str | None
    scenario: dict[str, Any]
    yaml: str
    prediction: PredictionShape | None


class ReviewShape(_Span):
    id: str
    kind: str
    version: int
    made_at: str
    made_by: str
    words: str


class ReviewsAnswer(Shape):
    reviews: list[ReviewShape]


class OneReviewAnswer(ReviewShape):
    review: dict[str, Any]


class ChangeVerdictShape(Shape):
    transaction: str | None
    selector: Labels
    judged_at: str
    from_: str = Field(alias="from")
    to: str
    outcome: str
    reasons: list[str]


class ChangeShape(Shape):
    id: str
    at: str
    kind: str
    what: str
    selector: Labels
    who: str | None
    found: bool
    verdicts: list[ChangeVerdictShape]


class ChangesAnswer(Shape):
    changes: list[ChangeShape]
    next_cursor: str | None


class OneChangeAnswer(ChangeShape):
    reports: list[dict[str, Any]]


class AuditShape(Shape):
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditAnswer(Shape):
    events: list[AuditShape]
    next_cursor: str | None


class OpenAnswer(BaseModel):
    """An object whose parts the user guide tells of."""

    model_config = ConfigDict(extra="allow")


class PrometheusAnswer(Shape):
    """As Prometheus' own API answers."""

    status: str
    data: Any = None
    errorType: str | None = None  # noqa: N815  Prometheus' own name
    error: str | None = None
    warnings: list[str] | None = None
