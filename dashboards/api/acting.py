"""`GET /act` and `POST /act`: what the links in messages lead to. Opening one only asks; a button acts, once.

Chats open links to preview them, so nothing may happen by GET. The link itself is what allows to act: it is signed, expires,
and is noted when it was used.
"""

import html
from datetime import timedelta
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.datastructures import State
from starlette.responses import HTMLResponse

from core.access import Principal, Via
from core.links import PATH, ActionLink, InvalidLink, verify
from core.types import Action, IncidentAction
from dashboards.context import Web
from dashboards.plain_page import plain_page
from dashboards.threads import Workers
from storage.incidents import incident_history
from storage.silences import action_used, write_actions

SNOOZE = timedelta(hours=1)
_MOST_LINK = 4000

_WORDS = {
    Action.ACKNOWLEDGE: ("Acknowledge this incident", "It is not repeated any more; its end is still told."),
    Action.SNOOZE: ("Snooze this incident for an hour", "It is not repeated for an hour, which is left out of training."),
    Action.EXPECTED: (
        "Say that this was expected",
        "It is not repeated any more, is marked as expected, and its time is left out of training.",
    ),
}


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get(PATH)
    async def ask(link: str = "") -> HTMLResponse:
        return await workers.run(confirmation, web, link)

    @routes.post(PATH)
    async def act(request: Request) -> HTMLResponse:
        form = parse_qs((await request.body()).decode("ascii", errors="replace"))
        return await workers.run(acted, web, form.get("link", [""])[0], request.state)

    return routes


def confirmation(web: Web, token: str) -> HTMLResponse:
    """The page that asks; changes nothing."""
    try:
        link = _verified(web, token)
    except InvalidLink as error:
        return plain_page("This link cannot be used", f"<p>{html.escape(str(error))}</p>", 400)
    title, consequence = _WORDS[link.action]
    form = f'<form method="post" action="{PATH}"><input type="hidden" name="link" value="{html.escape(token)}">'
    body = f"{_about(web, link)}<p>{consequence}</p>{form}<button>{title}</button></form>"
    return plain_page(title, body, 200)


def acted(web: Web, token: str, state: State) -> HTMLResponse:
    """Note what was said; the job that judges takes it up at its next run. `state` is told who did what, for the audit."""
    try:
        link = _verified(web, token)
    except InvalidLink as error:
        return plain_page("This link cannot be used", f"<p>{html.escape(str(error))}</p>", 400)
    now = web.now()
    until = now + SNOOZE if link.action is Action.SNOOZE else None
    said = IncidentAction(
        id=link.nonce, incident_id=link.incident_id, action=link.action, receiver=link.receiver, at=now, until=until
    )
    state.actor = Principal(name=f"link of {link.receiver}", scope=None, via=Via.NOBODY)
    state.deed = {"incident": link.incident_id, "action": link.action.value}
    write_actions(web.store, [said])
    return plain_page("Noted", f"{_about(web, link)}<p>{_WORDS[link.action][1]}</p>", 200)


def _verified(web: Web, token: str) -> ActionLink:
    key = web.settings.web.link_key
    if key is None:
        raise InvalidLink("Links are turned off: web.link_key is not set.")
    link = verify(token[:_MOST_LINK], key.reveal(), web.now())
    if action_used(web.store, link.nonce):
        raise InvalidLink("This link was used before.")
    return link


def _about(web: Web, link: ActionLink) -> str:
    history = incident_history(web.store, link.incident_id)
    if not history:
        return ""
    page = f"/incidents?incident={html.escape(link.incident_id)}"
    return f'<p class="incident">{html.escape(history[-1].title)}<br><a href="{page}">Open the incident</a></p>'
