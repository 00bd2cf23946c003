"""What stands around every page: name, navigation, status line, theme button, footer."""

from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from dashboards.pages.words import extra

PAGES: tuple[tuple[str, str], ...] = (
    ("/", "Overview"),
    ("/explore", "Explore"),
    ("/llm", "LLM"),
    ("/objectives", "Objectives"),
    ("/incidents", "Incidents"),
    ("/forecast", "Forecast"),
    ("/what-if", "What if"),
    ("/recommendations", "Recommendations"),
    ("/pipeline", "Pipeline"),
)
LEAVES: tuple[str, ...] = ("/calls", "/call")
"""Pages that others lead to; the navigation has no entry for them."""

REFRESH_MS = 10_000

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <script src="/assets/early.js"></script>
        <link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
        {%css%}
    </head>
    <body>
        <a class="skip" href="#page">Skip to content</a>
        {%app_entry%}
        <div hidden>
            {%config%}
            {%scripts%}
            {%renderer%}
        </div>
    </body>
</html>"""
"""`early.js` sets the theme before anything is painted."""


def layout(*, account: bool = False, zone: str = "UTC") -> Any:
    """The frame that stays while pages change; with a way to the account where people log in; `zone` is the configured one."""
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="look", data={"mode": "light", "narrow": False, "zone": "", "ready": False}),
            dcc.Store(id="zoom"),
            dcc.Interval(id="tick", interval=REFRESH_MS),
            html.Header(
                [
                    dcc.Link(
                        [html.Span(className="mark", **extra(aria_hidden="true")), "tpscope"], href="/", className="brand"
                    ),
                    html.Nav(
                        [
                            *(dcc.Link(name, href=path, id={"type": "nav", "path": path}) for path, name in PAGES),
                            html.A("Reviews", href="/reviews"),
                        ],
                        className="nav",
                        **extra(aria_label="Pages"),
                    ),
                    html.Div(id="status", className="status", **extra(aria_live="polite")),
                    *([html.A("Account", href="/account", className="button quiet")] if account else []),
                    html.Button(
                        "Time", id="zone-button", name=zone, className="button quiet", title="Switch the zone of all clocks"
                    ),
                    html.Button(
                        "Theme", id="theme-button", className="button quiet", title="Switch between light, dark and automatic"
                    ),
                ],
                className="top",
            ),
            html.Main(html.Div("Loading …", className="notice notice-quiet"), id="page", tabIndex=-1),
            html.Footer(id="foot", className="foot"),
        ],
        className="shell",
    )


def missing(path: str) -> Any:
    """The page for an address that leads nowhere."""
    return html.Div(
        [html.H1("There is no such page"), html.P([f"{path[:80]} leads nowhere. ", dcc.Link("Go to the overview", href="/")])],
        className="panel prose",
    )


def with_query(path: str, query: dict[str, str]) -> str:
    """An address inside the pages."""
    return f"{path}?{urlencode(query)}" if query else path
