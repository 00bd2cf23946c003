"""What the store may hold of two tenants: of each alone, and of one in words and parts that speak of the other."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from core.changes import Change, ChangeKind, ChangeVerdict
from core.masks import Mask, MaskKind
from core.series import Selector
from core.types import Cause, RankedCause
from storage import anomalies, changes, forecasts, frozen, incidents, masks
from storage.contract import Store
from tests.support.fill import Filled

EPOCH = 1


def sow(store: Store, filled: Filled, own: str, other: str) -> None:
    """Anomalies `a-own`, `a-other`, incidents `i-…`, changes `c-…`, and forecasts, masks and frozen baselines of both."""
    for name, tenant in (("own", own), ("other", other)):
        _results(store, filled, name, Selector.of(tenant=tenant), Selector.of(tenant=other))
        _said(store, filled, name, Selector.of(tenant=tenant), Selector.of(tenant=other))
        window = frozen.read_window(store, filled.end - timedelta(hours=2), filled.end, Selector.of(tenant=tenant))
        frozen.write_frozen(store, window, f"of {tenant}", tenant, filled.end)


def _results(store: Store, filled: Filled, name: str, mine: Selector, other: Selector) -> None:
    part = replace(filled.anomalies[0].contributions[0], selector=other)
    words = f"It came with the calls of {other.words}."
    anomaly = replace(
        filled.anomalies[0],
        id=f"a-{name}",
        selector=mine,
        contributions=(part, replace(part, selector=mine)),
        causes=(Cause(selector=other, observed=2.0, expected=1.0, share=0.8, surprise=9.0),),
        explanation=words,
        hint=words,
        evidence=words,
    )
    anomalies.write_anomalies(store, [anomaly], EPOCH)
    incident = replace(
        filled.firing,
        id=f"i-{name}",
        fingerprint=f"anomaly/{name}",
        labels=mine.labels,
        title=f"Latency P95 of {mine.words} is far above its expected range",
        summary=words,
        causes=(RankedCause(text=words, share=0.8),),
        anomaly_id=anomaly.id,
    )
    incidents.write_incidents(store, [incident], EPOCH)
    run, frame = filled.forecast, forecasts.read_forecast(store, filled.forecast.metric, filled.forecast.selector)
    assert frame is not None
    forecasts.write_forecast(store, replace(run, selector=mine), frame[1], EPOCH)


def _said(store: Store, filled: Filled, name: str, mine: Selector, other: Selector) -> None:
    start, now = filled.end - timedelta(hours=1), filled.end
    span: dict[str, Any] = {"start": start, "end": now, "made_at": now}
    masks.add_mask(store, Mask(id=f"m-{name}", kind=MaskKind.INCIDENT, selector=mine, who=mine.words, why=mine.words, **span))
    change = Change(
        id=f"c-{name}",
        at=start,
        kind=ChangeKind.DEPLOY,
        what="checkout 4.2.0",
        selector=mine,
        who="ci",
        found=False,
        made_at=now,
    )
    verdicts = [
        ChangeVerdict(
            change_id=change.id,
            transaction="",
            selector=selector,
            judged_at=now,
            before_from=start,
            after_to=now,
            outcome="regression",
            reasons=(f"{selector.words} is slower",),
            report=f'{{"of": "{selector.words}"}}',
        )
        for selector in (mine, other)
    ]
    changes.write_changes(store, [change])
    changes.write_verdicts(store, verdicts, EPOCH)
