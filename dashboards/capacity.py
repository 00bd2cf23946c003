"""What the forecast page says of capacity: limits with the time until they are reached, and the measured ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.capacity import Against, Ceiling, CeilingState, Estimate, Fit, LimitOutlook, ServingCost
from core.series import ALL_CALLS, Selector
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from render.parts import Limit
from render.scalability import scalability
from render.theme import theme_of
from render.units import format_number

DRAWN = {"tps": ("tps", "ceiling"), "peak_tps": ("peak_tps", "ceiling")}
"""Limits that can be drawn into the forecast of a metric: those in its own unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityData:
    """Of one selection: its limits, its ceiling's figure and what that says; `words` where there is no figure.

    `transactions` names those that were measured, each with its words; they stand with all calls. `whose` are the selection's
    dimensions and values.
    """

    limits: tuple[LimitOutlook, ...]
    others: int
    figure: go.Figure | None
    legend: tuple[Entry, ...]
    ceiling: str
    scaling: str
    transactions: tuple[tuple[str, str], ...]
    words: str
    cost: str
    unpriced: str
    whose: dict[str, str]


def load_capacity(web: Web, selector: Selector, look: Look) -> CapacityData:
    """Read and draw what is known of a selection's capacity."""
    outlook = queries.limits_outlook(web)
    every = queries.ceilings(web)
    fits = {one.against: one for one in every if one.selector == selector and not one.transaction}
    fit, scaling = fits.get(Against.CONCURRENCY), fits.get(Against.INSTANCES)
    own = tuple(one for one in outlook if one.selector == selector)
    figure, legend = None, tuple[Entry, ...]()
    if fit is not None and fit.points:
        figure, legend = for_page(scalability(fit, theme_of(look.mode)), "ceiling", look)
    return CapacityData(
        limits=own,
        others=len(outlook) - len(own),
        figure=figure,
        legend=legend,
        ceiling="" if fit is None else ceiling_words(fit),
        scaling="" if scaling is None else scaling_words(scaling),
        transactions=tuple((one.transaction, ceiling_words(one)) for one in every if one.transaction and selector == ALL_CALLS),
        words=_nothing(selector) if fit is None else "",
        cost=_cost_words(queries.serving_cost(web, selector)),
        unpriced=_unpriced(web),
        whose=selector.labels,
    )


def drawn_limits(web: Web, metric: str, selector: Selector) -> list[Limit]:
    """The limits of this metric and selection as lines of its chart."""
    kinds = DRAWN.get(metric, ())
    return [
        Limit(name=one.name, value=one.limit.value, at_most=True, text=one.words)
        for one in queries.limits_outlook(web)
        if one.kind in kinds and one.selector == selector
    ]


def ceiling_words(fit: Fit) -> str:
    """What the fit found, for people."""
    found = fit.ceiling
    if found.state is CeilingState.UNIDENTIFIED:
        text = f"The ceiling is not identifiable: {found.reason}. To settle it, {found.advice}."
    elif found.state is CeilingState.PEAK:
        at = found.peak_concurrency
        text = (
            f"Throughput peaks at {_interval(found.peak_tps)} calls/s and falls beyond {_interval(at)} calls in flight. "
            f"Contention {found.sigma.value:.3g}, coherency {found.kappa.value:.3g}."
        )
    else:
        text = (
            f"Throughput flattens towards {_interval(found.peak_tps)} calls/s and is not seen to fall. "
            f"Contention {found.sigma.value:.3g}."
        )
    return text + _objective(fit)


def scaling_words(fit: Fit) -> str:
    """What more instances bring, for people."""
    found = fit.ceiling
    if found.state is CeilingState.UNIDENTIFIED:
        return f"What more instances bring is not identifiable: {found.reason}. To settle it, {found.advice}."
    text = f"Against instances, throughput {_shape(found)} {_interval(found.peak_tps)} calls/s"
    if found.state is CeilingState.PEAK:
        text += f" with {_interval(found.peak_concurrency)} of them, and falls with more"
    return f"{text}. Contention {found.sigma.value:.3g}, coherency {found.kappa.value:.3g}."


def _shape(found: Ceiling) -> str:
    return "peaks at" if found.state is CeilingState.PEAK else "flattens towards"


def _cost_words(cost: ServingCost | None) -> str:
    """What it costs to serve the forecast; empty where nothing of it is known."""
    if cost is None:
        return ""
    days = (cost.until - cost.first).total_seconds() / 86_400
    parts = []
    calls = cost.calls_usd
    if calls.value == calls.value:
        span = f"(90 %: {format_number(calls.lower)} to {format_number(calls.upper)})"
        parts.append(f"To serve the next {days:.0f} days costs {format_number(calls.value)} USD for calls {span}")
    if cost.instances_usd > 0.0:
        parts.append(f"{format_number(cost.instances_usd)} USD for gateway instances over {days:.0f} days")
    text = ", and ".join(parts) + "." if parts else ""
    if cost.per_extra_100_tps == cost.per_extra_100_tps:
        text += f" 100 calls/s more at the busiest hour cost {format_number(cost.per_extra_100_tps)} USD/h."
    if cost.instances_most:
        text += f" Gateway instances: {cost.instances_now} now, {cost.instances_most} at the busiest hour"
        text += (
            "." if cost.more_instances_at is None else f"; more are needed from {cost.more_instances_at:%Y-%m-%d %H:%M} UTC."
        )
    for name, tps, at in cost.passes:
        text += f" The forecast passes the {format_number(tps)} calls/s stated for {name} on {at:%Y-%m-%d %H:%M} UTC."
    return text


def _objective(fit: Fit) -> str:
    if fit.objective_tps is None:
        return ""
    where = "and failed above" if fit.objective_failed else "the most that was seen"
    return f" The latency objective held up to {format_number(fit.objective_tps)} calls/s, {where}."


def _interval(one: Estimate) -> str:
    upper = format_number(one.upper) if one.upper < 1e300 else "no known end"
    return f"{format_number(one.value)} (90 %: {format_number(one.lower)} to {upper})"


def _nothing(selector: Selector) -> str:
    return (
        f"The ceiling of {selector.words} has not been measured yet: it is fitted every 6 hours for all traffic, for the "
        "busiest gateways, services and routes, and for what limits and objectives select."
    )


def _unpriced(web: Web) -> str:
    until = queries.freshness(web).complete_until
    unpriced = {} if until is None else queries.unpriced_models(web, until)
    if not unpriced:
        return ""
    calls = sum(unpriced.values())
    names = _names([f"{provider or '(no provider)'} {model or '(no model)'}" for provider, model in sorted(unpriced)])
    return f"{calls:,} calls of the last day have tokens but no price and are in no cost: {names}. See prices.tokens."


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
