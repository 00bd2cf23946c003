"""The what-if page: layout, and the HTML of what `dashboards.whatif` has found."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.predictions import PredictedMetric, Prediction
from core.whatif_text import scenario_json
from dashboards.pages import acting
from dashboards.pages.controls import filters, updated, windows
from dashboards.pages.options import an_option, option, text_field
from dashboards.pages.words import NOTHING, extra, notice, table, when
from dashboards.whatif.asked import DEFAULT_LAST
from dashboards.whatif.page_data import WhatIfData
from dashboards.whatif.runs import BUDGET_S, Run, RunState
from render.units import format_range, format_value

PATH = "/what-if"
BEAT, BEAT_MS = "what-if-beat", 2000
_SHARES = ("10", "25", "50", "100")
_KEYS = ("tenant", "account", "service", "route", "gateway")
_WAYS = {True: ("▲ better", "good"), False: ("▼ worse", "bad")}


def layout(query: Mapping[str, str], choices: Mapping[str, list[str]]) -> Any:
    """The page before its data; `query` sets what is chosen."""
    return html.Div(
        [
            dcc.Interval(id="what-if-clock", interval=BEAT_MS),
            dcc.Store(id=BEAT, data=0),
            dcc.Store(id="what-if-shown", data=""),
            html.Div([html.H1("What if"), html.Div(id="what-if-span", className="muted")], className="heading"),
            html.P(
                "Logged calls are replayed through a change, and what it would have brought is told with its interval. "
                "Choose whose calls, and one change or several.",
                className="prose",
            ),
            html.Div([windows(PATH, DEFAULT_LAST), filters(query, choices)], className="controls"),
            html.Div(_changes(query, choices), className="changes"),
            acting.dialog(),
            html.Div(notice("Loading …"), id="what-if-body"),
        ]
    )


def _changes(query: Mapping[str, str], choices: Mapping[str, list[str]]) -> list[Any]:
    providers = [an_option(name, name) for name in choices.get("provider", [])]
    models = [an_option(name, name) for name in choices.get("model", [])]
    return [
        _change(
            "Cache answers",
            text_field("cache", "for how long", query, "no cache; 1h"),
            text_field("entries", "answers it holds", query, "10000"),
        ),
        _change(
            "Limit the rate",
            text_field("rate", "calls a second", query, "no limit; 2"),
            text_field("burst", "at once", query, "10"),
            option("per", "for each", [an_option(name, name) for name in _KEYS], query, "tenant"),
        ),
        _change(
            "Move traffic",
            option("share", "share", [an_option(f"{one} %", one) for one in _SHARES], query, "all of it"),
            option("moved", "of provider", providers, query, "any"),
            option("to_provider", "to provider", providers, query, "no move"),
            option("to_model", "to model", models, query, "as it is"),
        ),
        _change(
            "Fall back",
            text_field("order", "to providers, in order", query, "none; a, b"),
            text_field("timeout", "each may take", query, "no limit; 8s"),
        ),
    ]


def _change(title: str, *fields: Any) -> Any:
    return html.Fieldset([html.Legend(title), html.Div(list(fields), className="filters")], className="change panel")


def body(data: WhatIfData, zone: ZoneInfo) -> list[Any]:
    """The scenario's button, its run, and the file for the command."""
    if data.scenario is None:
        return [notice(data.problem)]
    if not data.able:
        return [notice("This process replays nothing; take the file to `tpscope whatif`."), _file(data)]
    run = data.run
    parts = [_way_on(data)]
    if run is not None and not run.state.is_over:
        parts.append(_under_way(run))
    elif run is not None and run.prediction is not None:
        parts += _answer(run.prediction, zone)
    elif run is not None:
        parts.append(notice(f"There is no answer: {run.problem}.", tone="bad"))
    return [*parts, _file(data)]


def summary(data: WhatIfData, zone: ZoneInfo, now: datetime) -> list[Any]:
    """What is counted, once that is known."""
    found = data.run.prediction if data.run is not None else None
    span = [] if found is None else [html.Span([when(found.start, zone), " to ", when(found.end, zone)])]
    calls = [] if found is None else [html.Span(f"{found.calls:,} calls")]
    return [*calls, *span, *updated(zone, now)]


def _way_on(data: WhatIfData) -> Any:
    if data.run is not None and not data.run.state.is_over:
        buttons = [acting.button("Cancel", f"/api/v1/what-if/{data.run.id}/cancel", {}, "", at_once=BEAT)]
    else:
        words = "Predict" if data.run is None else "Predict again"
        assert data.scenario is not None
        buttons = [acting.button(words, "/api/v1/what-if", scenario_json(data.scenario), "", at_once=BEAT, primary=True)]
    hint = html.P("Who may operate can start a replay here; the file below goes to the command.", className="muted not-acting")
    return html.Div([html.Div(buttons, className="acting"), hint])


def _under_way(run: Run) -> Any:
    if run.state is RunState.WAITING:
        return notice(f"{run.waits_for} {'replay goes' if run.waits_for == 1 else 'replays go'} before this one.")
    share = f"{run.progress:.0%}"
    bar = html.Progress(value=str(round(100 * run.progress)), max="100", **extra(aria_label="Part of the replay that is done"))
    return notice(f"Replaying: {share} done, at most {BUDGET_S:.0f} s in all. ", bar)


def _answer(found: Prediction, zone: ZoneInfo) -> list[Any]:
    if found.refusals:
        return [
            html.Section(
                [html.H2("These calls cannot tell"), *_list([f"{words[:1].upper()}{words[1:]}." for words in found.refusals])],
                className="panel notice-bad",
            )
        ]
    head = ("figure", "logged", "predicted", f"{found.level:.0%} interval", "change", "")
    rows = [_row(one) for one in found.metrics]
    return [
        html.Section(
            [
                html.H2("What it would have brought"),
                table(head, rows, caption="Figures as logged and as predicted", numeric=(1, 2, 3, 4)),
                *_list(found.effects),
            ],
            className="panel",
        ),
        html.Section([html.H2("Taken for granted"), *_list(found.assumptions)], className="panel"),
    ]


def _row(one: PredictedMetric) -> list[Any]:
    if not math.isfinite(one.after):
        return [one.title, format_value(one.before, one.unit), "too few calls", NOTHING, NOTHING, ""]
    return [
        one.title,
        format_value(one.before, one.unit),
        format_value(one.after, one.unit),
        format_range(one.lower, one.upper, one.unit),
        _difference(one),
        _way(one),
    ]


def _difference(one: PredictedMetric) -> str:
    change, low, high = one.relative
    if not math.isfinite(change):
        return NOTHING
    return f"{100 * change:+.1f} % ({100 * low:+.1f} to {100 * high:+.1f})"


def _way(one: PredictedMetric) -> Any:
    """Which way it goes, where the interval leaves no doubt of it."""
    if one.lower <= one.before <= one.upper:
        return html.Span("● not sure", className="verdict verdict-quiet")
    words, tone = _WAYS[(one.after > one.before) is one.more_is_better]
    return html.Span(words, className=f"verdict verdict-{tone}")


def _file(data: WhatIfData) -> Any:
    link = f"data:application/yaml;charset=utf-8,{quote(data.yaml)}"
    return html.Section(
        [
            html.Div(
                [
                    html.H2("The scenario as a file"),
                    html.A("Download", href=link, download="scenario.yaml", className="button"),
                ],
                className="card-head",
            ),
            html.P(["For ", html.Code("tpscope whatif scenario.yaml"), ", which replays twice as many calls."]),
            html.Pre(data.yaml, className="file", tabIndex=0, **extra(aria_label="Scenario", role="region")),
        ],
        className="panel",
    )


def _list(lines: Sequence[str]) -> list[Any]:
    return [html.Ul([html.Li(line) for line in lines], className="prose")] if lines else []
