"""What the browser does by itself: the theme, the navigation, how address and controls follow each other."""

from typing import Any

from dash import ALL, ClientsideFunction, Input, Output, State


def register(app: Any) -> None:
    """The parts that follow each other in the browser; their code is `assets/tpscope.js`."""
    app.clientside_callback(
        ClientsideFunction("tpscope", "theme"),
        Output("look", "data"),
        Output("theme-button", "children"),
        Output("zone-button", "children"),
        Input("theme-button", "n_clicks"),
        Input("zone-button", "n_clicks"),
        State("zone-button", "name"),
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "nav"),
        Output({"type": "nav", "path": ALL}, "className"),
        Input("url", "pathname"),
        State({"type": "nav", "path": ALL}, "id"),
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "controls"),
        Output("url", "search", allow_duplicate=True),
        Output({"type": "filter", "dim": ALL}, "value"),
        Output({"type": "window", "last": ALL}, "href"),
        Output({"type": "window", "last": ALL}, "className"),
        Input("url", "search"),
        Input({"type": "filter", "dim": ALL}, "value"),
        State({"type": "filter", "dim": ALL}, "id"),
        State({"type": "window", "last": ALL}, "id"),
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "dragged"),
        Output("zoom", "data"),
        Input({"type": "graph", "chart": ALL}, "relayoutData"),
        Input({"type": "chart", "page": ALL, "chart": ALL}, "relayoutData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "clicked"),
        Output("url", "pathname", allow_duplicate=True),
        Output("url", "search", allow_duplicate=True),
        Input({"type": "chart", "page": ALL, "chart": ALL}, "clickData"),
        State({"type": "chart", "page": ALL, "chart": ALL}, "figure"),
        State({"type": "chart", "page": ALL, "chart": ALL}, "id"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("tpscope", "choose"),
        Input({"type": "choice", "part": ALL}, "value"),
        State({"type": "choice", "part": ALL}, "id"),
        State("url", "search"),
        prevent_initial_call=True,
    )
