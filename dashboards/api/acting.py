"""`GET /act` and `POST /act`: what the links in messages lead to. Opening one only asks; a button acts, once.

Chats open links to preview them, so nothing may happen by GET. The link itself is what allows to act: it is signed, expires,
and is noted when it was used.
"""

import html
from datetime import timedelta
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from core.links import PATH, ActionLink, InvalidLink, verify
from core.types import Action, IncidentAction
from dashboards.context import Web
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

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title} · tpscope</title>
<style>body {{ font-family: system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1.5rem; line-height: 1.5;
color: #1b2330; }} h1 {{ font-size: 1.3rem; }} button {{ font: inherit; padding: .6rem 1.4rem; border: 0; border-radius: 6px;
background: #0072b2; color: #fff; cursor: pointer; }} p.incident {{ border-left: 4px solid #d55e00; padding-left: .8rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #10151d; color: #e6eaf1; }} a {{ color: #56b4e9; }} }}</style>
</head><body><h1>{title}</h1>{body}</body></html>"""


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get(PATH)
    async def ask(link: str = "") -> HTMLResponse:
        return await workers.run(confirmation, web, link)

    @routes.post(PATH)
    async def act(request: Request) -> HTMLResponse:
        form = parse_qs((await request.body()).decode("ascii", errors="replace"))
        return await workers.run(acted, web, form.get("link", [""])[0])

    return routes


def confirmation(web: Web, token: str) -> HTMLResponse:
    """The page that asks; changes nothing."""
    try:
        link = _verified(web, token)
    except InvalidLink as error:
        return _page("This link cannot be used", f"<p>{html.escape(str(error))}</p>", 400)
    title, consequence = _WORDS[link.action]
    form = f'<form method="post" action="{PATH}"><input type="hidden" name="link" value="{html.escape(token)}">'
    body = f"{_about(web, link)}<p>{consequence}</p>{form}<button>{title}</button></form>"
    return _page(title, body, 200)


def acted(web: Web, token: str) -> HTMLResponse:
    """Note what was said; the job that judges takes it up at its next run."""
    try:
        link = _verified(web, token)
    except InvalidLink as error:
        return _page("This link cannot be used", f"<p>{html.escape(str(error))}</p>", 400)
    now = web.now()
    until = now + SNOOZE if link.action is Action.SNOOZE else None
    said = IncidentAction(
        id=link.nonce, incident_id=link.incident_id, action=link.action, receiver=link.receiver, at=now, until=until
    )
    write_actions(web.store, [said])
    return _page("Noted", f"{_about(web, link)}<p>{_WORDS[link.action][1]}</p>", 200)


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


def _page(title: str, body: str, status: int) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=html.escape(title), body=body), status)
