"""The objectives page: layout, and the HTML of what `dashboards.objectives_page` has read."""

import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.objective_words import good_words
from core.series import Selector
from dashboards.objectives import Standing, limit_of
from dashboards.objectives_page import DEFAULT_LAST, Drawn, ObjectivesData
from dashboards.pages.cards import drawn
from dashboards.pages.controls import slow_tick, span_words, windows
from dashboards.pages.shell import with_query
from dashboards.pages.words import facts, legend, notice, table, tile, tile_value, when
from dashboards.transactions import Counted
from render.units import format_number, format_span, format_value, unit_words

PATH = "/objectives"
_KEPT = {True: ("✓ kept", "good"), False: ("✕ not kept", "bad"), None: ("– cannot be told", "quiet")}


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            slow_tick("objectives"),
            html.Div([html.H1("Objectives"), html.Div(id="objectives-span", className="muted")], className="heading"),
            html.Div(windows(PATH, DEFAULT_LAST), className="controls"),
            html.Div(notice("Loading …"), id="objectives-body"),
        ]
    )


def body(data: ObjectivesData, zone: ZoneInfo) -> list[Any]:
    """Objectives, the chosen one, transactions, the chosen one."""
    return [
        _standings(data),
        *([_objective(data.objective, zone), _charts(data)] if data.objective is not None else []),
        _counted(data),
        *([_transaction(data.transaction, data, zone)] if data.transaction is not None else []),
    ]


def summary(data: ObjectivesData, zone: ZoneInfo, now: datetime) -> list[Any]:
    return [html.Span("objectives over their own windows"), *span_words(data.window, zone, now)]


def _standings(data: ObjectivesData) -> Any:
    if not data.standings:
        words = [
            "No objective is configured. Name targets under ", html.Code("objectives"), "; ",
            html.Code("tpscope objectives suggest"), " proposes some from your history."
        ]  # fmt: skip
        return html.Section([html.H2("Objectives"), notice(*words)], className="panel")
    head = ("Objective", "Target", "Window", "Was", "State", "Hours met", "Budget left", "Burn, last hour")
    rows = [_row(one, data) for one in data.standings]
    caption = "Objectives, each over its own window"
    return html.Section([html.H2("Objectives"), table(head, rows, caption=caption, numeric=(3, 5, 6, 7))], className="panel")


def _row(one: Standing, data: ObjectivesData) -> list[Any]:
    words, tone = _KEPT[one.found.kept]
    name = one.objective.name
    opened = data.objective is not None and data.objective.objective.name == name
    href = with_query(PATH, {**data.window.query, "objective": name})
    what = one.words
    return [
        [dcc.Link(name, href=href, className="open-name" if opened else None), html.Div(what, className="muted")],
        _target(one),
        _window(one),
        _was(one),
        html.Span(words, className=f"verdict verdict-{tone}"),
        _percent(one.attained) if limit_of(one.objective) is not None else "–",
        "–" if one.left is None else html.Span(_percent(one.left), className=_budget_class(one.left)),
        format_number(one.burns[0].long) if one.burns and one.burns[0].long == one.burns[0].long else "–",
    ]


def _target(one: Standing) -> str:
    target = one.objective
    if target.target is not None:
        return f"{good_words(1.0 - target.target)} good"
    if target.at_most is not None:
        return f"at most {format_value(target.at_most, one.unit)}"
    return f"at least {format_value(target.at_least or math.nan, one.unit)}"


def _window(one: Standing) -> str:
    window = one.objective.window
    return format_span(window) if isinstance(window, timedelta) else f"this {window}"


def _was(one: Standing) -> str:
    """What there was, in the terms of the target: a good share, or the metric."""
    return f"{good_words(one.value)} good" if one.objective.target is not None else format_value(one.value, one.unit)


def _objective(one: Standing, zone: ZoneInfo) -> Any:
    """The chosen objective's numbers, and its burn rates."""
    tiles = [
        tile("Target", tile_value(_target(one)), one.objective.description or one.words),
        tile(f"Over {_window(one)}", tile_value(_was(one)), f"{one.found.calls:,.0f} {_counted_words(one)}"),
    ]
    if limit_of(one.objective) is not None:
        tiles.append(tile("Hours that met it", tile_value(_percent(one.attained)), "of the hours with calls"))
    if one.left is not None:
        tiles.append(tile("Budget left", tile_value(_percent(one.left)), _lasts(one)))
    return html.Section(
        [
            html.H2(f"{one.objective.name}: {one.words if one.objective.transaction else one.selector.words}"),
            html.Div(tiles, className="tiles"),
            *_remarks(one, zone),
            *_burns(one),
        ],
        className="panel",
    )


def _counted_words(one: Standing) -> str:
    return "minutes" if one.objective.counts_minutes else "calls"


def _remarks(one: Standing, zone: ZoneInfo) -> list[Any]:
    """What is to be known beside the numbers: since when they were counted, and whether there are enough of them."""
    found, said = one.found, list[Any]()
    if found.version:
        said.append(html.P(["Counted by version ", html.Code(found.version), " of its transaction."], className="muted"))
    if found.counted_from is not None:
        said.append(notice("Nothing is known before ", when(found.counted_from, zone), ": this version was not counted then."))
    if found.low_traffic:
        said.append(notice("So little was counted that one that is bad is more than the whole budget."))
    return said


def _lasts(one: Standing) -> str:
    if one.left is not None and one.left <= 0:
        return "used up"
    exhausted = one.found.budget.exhausted if one.found.budget is not None else None
    return "lasts" if exhausted is None else f"used up in {format_span(exhausted)} as in the last hour"


def _burns(one: Standing) -> list[Any]:
    if not one.burns:
        words = "Only a share of bad calls has an error budget that can burn."
        if limit_of(one.objective) is None:
            words = f"{words} Whether so much would be possible is told by the forecast page: here it was never asked for."
        return [html.P(words, className="muted")]
    rows = [
        [
            f"{format_span(burn.pair.long)} and {format_span(burn.pair.short)}",
            _rate(burn.long),
            _rate(burn.short),
            format_number(burn.pair.burn),
            html.Span("▲ burns too fast" if burn.burning else "● slow enough",
                      className=f"verdict verdict-{'bad' if burn.burning else 'good'}"),
        ]
        for burn in one.burns
    ]  # fmt: skip
    head = ("Windows", "Burn over the long one", "Over the short one", "Both at most", "Verdict")
    caption = "Burn rates of the error budget: 1 uses it up in the whole window"
    return [
        html.H3("Burn rates"),
        table(head, rows, caption=caption, numeric=(1, 2, 3)),
        html.P(f"{caption}.", className="muted"),
    ]


def _charts(data: ObjectivesData) -> Any:
    one = data.objective
    assert one is not None
    what = one.words
    cards = [_card("objective", f"{what} ({unit_words(one.unit)})", data.value, "every hour")]
    if limit_of(one.objective) is not None:
        cards.append(_card("attained", "Hours that met the target (%)", data.attained, "every day"))
    if one.left is not None:
        cards.append(_card("budget", "Error budget left (% of the window's)", data.budget, "every hour"))
    return html.Div(cards, className="grid")


def _counted(data: ObjectivesData) -> Any:
    if not data.counted:
        words = ["No transaction is configured. Name what you count under ", html.Code("transactions"), "."]
        return html.Section([html.H2("Transactions"), notice(*words)], className="panel")
    rows = [_transaction_row(one, data) for one in data.counted]
    head = ("Transaction", "Which calls", "Counted", "Good", "Good and fast", "Version")
    return html.Section(
        [html.H2("Transactions"), table(head, rows, caption="Transactions in this window", numeric=(2, 3))], className="panel"
    )


def _transaction_row(one: Counted, data: ObjectivesData) -> list[Any]:
    href = with_query(PATH, {**data.window.query, "transaction": one.definition.name})
    within = ", ".join(f"{_percent(share)} within {format_value(limit, 'ms')}" for limit, share in one.within)
    return [
        [dcc.Link(one.definition.name, href=href), html.Div(one.definition.description, className="muted")],
        _which(one),
        f"{one.calls:,}",
        _percent(one.good),
        within or "–",
        html.Code(one.definition.version),
    ]


def _which(one: Counted) -> str:
    parts = (f"{name} {' or '.join(values)}" for name, values in one.definition.selector)
    return ", ".join(parts) or Selector().words


def _transaction(one: Counted, data: ObjectivesData, zone: ZoneInfo) -> Any:
    name = one.definition.name
    versions = [
        (
            html.Code(version.version),
            [when(version.at, zone), " (in force)" if version.version == one.definition.version else ""],
        )
        for version in one.versions
    ]
    step = f"every {format_span(data.window.step)}"
    return html.Div(
        [
            html.Div(
                [
                    _card("volume", f"{name} (calls/s)", data.volume, step),
                    _card("bad", f"{name} that were not good (%)", data.bad, step),
                ],
                className="grid",
            ),
            html.Section(
                [html.H2(f"Versions of {name}"), html.P("Numbers of two versions are never compared.", className="muted"),
                 facts(versions) if versions else notice("Nothing was counted yet.")],
                className="panel",
            ),
        ]
    )  # fmt: skip


def _card(chart: str, title: str, one: Drawn, remark: str) -> Any:
    if one.figure is None:
        return html.Section([html.H2(title), notice("Nothing is known of this window.")], className="card")
    return drawn("objectives", chart, title, one.figure, legend(one.legend), remark=remark)


def _percent(share: float) -> str:
    return "unknown" if math.isnan(share) else f"{share:.2%}".replace("%", " %")


def _rate(burn: float) -> str:
    return "unknown" if math.isnan(burn) else format_number(burn)


def _budget_class(left: float) -> str:
    return f"verdict verdict-{'bad' if left <= 0 else 'good'}"
