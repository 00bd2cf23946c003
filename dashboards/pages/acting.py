"""Buttons that act, and the dialog that asks before they do; `assets/acting.js` sends what they stand for to the API.

They are shown to those who may operate; whether somebody may is decided by the API, which also notes who did what.
"""

import json
from typing import Any

from dash import html

from core.masks import Mask
from core.types import Anomaly, Incident
from dashboards.pages.words import extra

WHY, WHO = "$why", "$who"
"""Stand in a button's body for what the dialog asks, and for who is logged in."""

SILENCE_HOURS = (1, 8, 24)


def dialog() -> Any:
    """Part of the page's layout, so that a live refresh does not take away what is being written."""
    return html.Div(
        [
            html.Dialog(
                [
                    html.H2(id="act-title"),
                    html.P(id="act-words"),
                    html.Label(
                        [html.Span("Why", className="label"), html.Textarea(id="act-why", rows=3, maxLength=1000)],
                        id="act-asks",
                    ),
                    html.P(id="act-problem", role="alert", className="verdict verdict-bad"),
                    html.Div(
                        [
                            html.Button("Do it", id="act-go", className="button primary"),
                            html.Button("Leave it", id="act-leave", className="button quiet"),
                        ],
                        className="badges",
                    ),
                ],
                id="act-dialog",
                **extra(aria_labelledby="act-title"),
            ),
            html.Div(id="act-said", role="status", className="act-said", **extra(aria_live="polite")),
        ]
    )


def on_incident(incident: Incident) -> list[Any]:
    """What can be said of an incident that goes on; nothing of one that is over."""
    if not incident.state.is_open:
        return []
    url = f"/api/v1/incidents/{incident.id}/actions"
    match = dict(incident.labels) or {"rule": incident.rule}
    meant = ", ".join(f"{name} {value or '(none)'}" for name, value in match.items())
    buttons = [
        button("Acknowledge", url, {"action": "acknowledge"}, "It is not repeated any more; its end is still told."),
        button(
            "Snooze 1 h",
            url,
            {"action": "snooze", "for": "1h"},
            "It is not repeated for an hour, which is left out of training.",
        ),
        button(
            "Expected",
            url,
            {"action": "expected"},
            "It is not repeated any more, is marked as expected, and its time is left out of training.",
        ),
        *(
            button(
                f"Silence {hours} h",
                "/api/v1/silences",
                {"match": match, "for": f"{hours}h", "comment": WHY},
                f"Incidents of {meant} are told to nobody for {hours} h. They are scored and shown all the same.",
                asks=True,
            )
            for hours in SILENCE_HOURS
        ),
    ]
    return [html.Div(buttons, className="acting", role="group", **extra(aria_label="Actions on this incident"))]


def on_anomaly(anomaly: Anomaly, mask: Mask | None) -> list[Any]:
    """What can be said of an anomaly's time: masks that mute it, or only leave it out of training; or to take one back."""
    if mask is not None:
        url = f"/api/v1/masks/{mask.id}/end"
        words = "It never was: what it muted is news again, and its time is learned from."
        buttons = [button("Take the mask back", url, {"withdraw": True}, words)]
    else:
        buttons = [
            _mask("Mark as expected", "expected", anomaly, "Its time is muted and left out of training."),
            _mask("It was maintenance", "maintenance", anomaly, "Its time is muted and left out of training."),
            _mask("It was an incident", "incident", anomaly, "Its time is left out of training; messages go on."),
        ]
    return [html.Div(buttons, className="acting", role="group", **extra(aria_label="Actions on this anomaly"))]


def _mask(words: str, kind: str, anomaly: Anomaly, consequence: str) -> Any:
    body = {"kind": kind, "anomaly": anomaly.id, "why": WHY, "who": WHO}
    return button(words, "/api/v1/masks", body, consequence, asks=True)


def button(
    words: str,
    url: str,
    body: dict[str, Any],
    consequence: str,
    *,
    asks: bool = False,
    at_once: str = "",
    primary: bool = False,
) -> Any:
    """A button that posts; `asks` wants a reason first.

    `at_once` leaves the dialog out, for what nothing is lost by, and names the store of the page that is told when it is done.
    """
    data = {"data_post": url, "data_body": json.dumps(body), "data_words": consequence, "data_asks": "why" if asks else ""}
    name = "button primary" if primary else "button"
    return html.Button(words, className=name, **extra(**data, data_once=at_once))
