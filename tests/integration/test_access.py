"""Who gets in where: every route by every role, logins, proxies, tenants' rows, and the attacks that must not work."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from core.access import LOCAL, Scope, csrf_of, hash_of, id_of
from core.config import Settings, WebSettings
from core.errors import ConfigError
from core.links import ActionLink, sign
from core.predicting import unheard
from core.types import Action
from core.whatif import WhatIf
from dashboards import problems, run
from dashboards.access import pages as access_pages
from dashboards.access.decisions import DECISIONS, Need, decide
from dashboards.access.directory import KEEP_S, Directory
from dashboards.access.gate import AccessGate
from dashboards.access.identify import Identifier
from dashboards.access.origins import own_path
from dashboards.access.way_in import check_way_in
from dashboards.context import Web
from dashboards.guard import MAX_CALLS_BODY, Guard, content_security_policy
from dashboards.hosts import AllowedHosts
from dashboards.threads import Workers
from render.prediction_json import prediction_json
from storage import calls
from storage.audit import read_audit
from storage.silences import read_silences
from storage.tokens import read_sessions, read_tokens
from tests.support.access import ADDRESS, OWNER_TOKEN, Site, site
from tests.support.access_table import ALLOWED, EVERYBODY
from tests.support.foreign import sow
from tests.support.in_process import in_process
from tests.support.wait import wait_until
from tpscope.predicting import predictor_of
from tpscope.tokens import run_create, run_list, run_revoke
from tpscope.wiring import Role, Service

PROMETHEUS = "api/v1/prometheus/api/v1"
PROXY: dict[str, Any] = {
    "trusted_proxies": ["203.0.113.0/24"],
    "proxy_user_header": "X-Forwarded-User",
    "proxy_users": {"ada": "operate"},
}
KEY = "k" * 32


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory, "access", link_key=f"file:{_key(tmp_path_factory)}", **PROXY) as running:
        sow(running.store, running.filled, own="team-1", other="team-2")
        yield running


def _key(factory: pytest.TempPathFactory) -> Path:
    path = factory.mktemp("key") / "key"
    path.write_text(KEY)
    return path


@pytest.fixture(autouse=True)
def _no_cookies(here: Site) -> None:
    here.client.cookies.clear()


def routes_of(here: Site) -> list[tuple[str, str]]:
    """Method and path of every route of the application, except WebSockets, which the guard closes."""
    found = []
    for one in iter_route_contexts(here.app.routes):
        methods = getattr(one, "methods", None) or ({"GET"} if "ws" not in str(one.path) else set())
        found += [(method, str(one.path)) for method in methods if method != "HEAD"]
    return found


def example(path: str) -> str:
    """An address that the route takes."""
    filled = path.replace("{action}", "frame")
    return re.sub(r"\{[^}]+\}", "x", filled) + ("/x.css" if path == "/assets" else "")


def test_every_route_has_a_decision_and_is_found_by_it(here: Site) -> None:
    decided = {(method, one.path) for one in DECISIONS for method in one.methods.split()}
    assert set(routes_of(here)) == decided
    for method, path in routes_of(here):
        assert decide(method, example(path)).path == path


def test_each_route_lets_in_exactly_the_roles_that_it_should(here: Site) -> None:
    async def reached(request: Any) -> Response:
        return Response(status_code=204)

    assert set(routes_of(here)) == set(ALLOWED), "tests/support/access_table.py says who may use a route"
    stub = Starlette(routes=[Route("/{path:path}", reached, methods=["GET", "POST"])])
    web = Web(store=here.store, settings=here.settings, clock=here.clock)
    directory = Directory(here.store, here.settings.web, here.clock)
    stub.add_middleware(AccessGate, web=web, workers=Workers(), identifier=Identifier(here.settings.web, directory))
    roles = headers_by_role(here, directory)
    assert set(roles) == EVERYBODY
    wrong = []
    with in_process(stub, ADDRESS) as client:
        for (method, path), allowed in ALLOWED.items():
            for role, headers in roles.items():
                status = client.request(method, example(path), headers=headers).status_code
                expected = role in allowed
                if (status == 204) is not expected or (not expected and status not in (401, 403)):
                    wrong.append((method, path, role, status))
    assert wrong == []


def headers_by_role(here: Site, directory: Directory) -> dict[str, dict[str, str]]:
    """What a request of each role brings along; the login is of somebody who may operate, and sends its CSRF token."""
    token = directory.token_of(here.tokens["operate"])
    assert token is not None
    secret, _ = directory.begin(token)
    roles = {role: here.as_(role) for role in EVERYBODY & set(here.tokens)}
    return roles | {
        "nobody": {},
        "wrong": {"Authorization": f"Bearer tps_{'0' * 12}_{'x' * 43}"},
        "session": {"Cookie": f"tpscope-session={secret}", "X-CSRF-Token": csrf_of(secret)},
        "proxy": {"X-Forwarded-User": "ada"},
    }


CACHED: dict[str, Any] = {"name": "cached", "window": {"last": "12h"}, "caches": [{"key": ["route"], "ttl": "1h"}]}


def replayed(here: Site, role: str, body: dict[str, Any]) -> dict[str, Any]:
    """What became of a scenario that this role asks for."""
    begun = here.client.post("/api/v1/what-if", json=body, headers=here.as_(role))
    assert begun.status_code == 202, begun.text
    address = f"/api/v1/what-if/{begun.json()['id']}"

    def ended() -> bool:
        return here.client.get(address, headers=here.as_(role)).json()["state"] not in ("waiting", "running")

    wait_until(ended, 60, "the replay is over")
    found: dict[str, Any] = here.client.get(address, headers=here.as_(role)).json()
    return found


def test_a_scenario_is_replayed_over_what_the_caller_may_see(here: Site) -> None:
    whole, own = (replayed(here, role, CACHED) for role in ("operate", "tenant"))
    assert (whole["state"], own["state"]) == ("done", "done")
    scenario = WhatIf.model_validate({**CACHED, "selector": {"tenant": "team-1"}})
    found = predictor_of(here.store)(scenario, here.clock.now(), unheard)
    assert own["prediction"] == json.loads(json.dumps(prediction_json(found)))
    assert own["scenario"]["selector"] == {"tenant": "team-1"}
    assert 0 < own["prediction"]["calls"] < whole["prediction"]["calls"]
    for address, method in ((f"/api/v1/what-if/{whole['id']}", "GET"), (f"/api/v1/what-if/{whole['id']}/cancel", "POST")):
        assert here.client.request(method, address, headers=here.as_("tenant")).status_code == 404
    other = {**CACHED, "selector": {"tenant": "team-2"}}
    assert here.client.post("/api/v1/what-if", json=other, headers=here.as_("tenant")).status_code == 403
    many = {**CACHED, "caches": CACHED["caches"] * 9}
    assert here.client.post("/api/v1/what-if", json=many, headers=here.as_("operate")).status_code == 422
    noted = read_audit(here.store, 20)
    assert any(one.action == "POST /api/v1/what-if" and own["id"] in one.detail for one in noted)


def test_wrong_tokens_are_tried_as_often_as_the_rate_allows(here: Site) -> None:
    settings = Settings.model_validate({"web": {"rate_limit": 3, "host": "0.0.0.0"}})
    web = Web(store=here.store, settings=settings, clock=here.clock)
    stub = Starlette()
    identifier = Identifier(settings.web, Directory(here.store, settings.web, here.clock))
    stub.add_middleware(AccessGate, web=web, workers=Workers(), identifier=identifier)
    wrong = {"Authorization": f"Bearer tps_{'0' * 12}_{'x' * 43}"}
    with in_process(stub, ADDRESS) as client:
        assert [client.get("/explore", headers=wrong).status_code for _ in range(5)] == [401] * 3 + [429] * 2


def test_nobody_gets_past_the_door_of_the_application_itself(here: Site) -> None:
    for method, path in routes_of(here):
        answer = here.client.request(method, example(path))
        if decide(method, example(path)).need is Need.PUBLIC:
            assert answer.status_code not in (401, 403) or path == "/login", path
        else:
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"
    assert here.client.delete("/api/v1/calls").status_code == 401
    assert here.client.delete("/api/v1/calls", headers=here.as_("admin")).status_code == 405
    owner = {"Authorization": f"Bearer {OWNER_TOKEN}"}
    assert here.client.get("/api/v1/status", headers=owner).status_code == 401, "the owner's token opens the store, no route"


def test_a_wrong_token_is_refused_and_never_logged(here: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    right = here.tokens["read"]
    for secret in (right[:-1] + ("A" if right[-1] != "A" else "B"), right[:-1], "tps_" + "0" * 12 + "_" + "x" * 43, "", "x"):
        answer = here.client.get("/api/v1/session", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401, secret
    here.client.get("/api/v1/session", headers=here.as_("read"))
    here.client.post("/login", data={"token": right[:-1]})
    assert right[20:] not in caplog.text
    stored = [one.hash for one in read_tokens(here.store)]
    assert not any(secret[16:] in hash_ for secret in here.tokens.values() for hash_ in stored)


def test_a_token_is_made_listed_and_revoked(
    here: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tpscope token`: the secret is printed once, and opens what it says until it is revoked."""
    monkeypatch.setattr("tpscope.tokens.reading", lambda settings: nullcontext(here.store))
    assert run_create(here.settings, "shop's own", Scope.OPERATE, ("shop",), None, as_json=False) == 0
    out, err = capsys.readouterr()
    secret = out.strip()
    assert out == f"{secret}\n"
    assert secret not in err
    assert run_list(here.settings, as_json=True) == 0
    listed = capsys.readouterr().out
    assert secret.rsplit("_", 1)[1] not in listed
    assert hash_of(secret) not in listed
    one = next(each for each in json.loads(listed)["tokens"] if each["id"] == id_of(secret))
    assert (one["name"], one["scope"], one["tenants"], one["state"]) == ("shop's own", "operate", ["shop"], "valid")
    now = [0.0]
    directory = Directory(here.store, here.settings.web, here.clock, timer=lambda: now[0])
    assert directory.token_of(secret) is not None
    assert run_revoke(here.settings, id_of(secret)) == 0
    now[0] = KEEP_S
    assert directory.token_of(secret) is None, "another process knows of it after a few seconds"
    assert {"token.revoke", "token.create"} <= {event.action for event in read_audit(here.store)}
    with pytest.raises(ConfigError, match="there is no token 'nosuch'"):
        run_revoke(here.settings, "nosuch")
    wrong: list[tuple[str, Scope, tuple[str, ...]]] = [
        (" ", Scope.READ, ()),
        ("x", Scope.ADMIN, ("shop",)),
        ("x", Scope.READ, ("",)),
    ]
    for name, scope, tenants in wrong:
        with pytest.raises(ConfigError):
            run_create(here.settings, name, scope, tenants, None, as_json=False)


def log_in(here: Site, role: str = "operate", **data: str) -> httpx.Response:
    return here.client.post("/login", data={"token": here.tokens[role], **data})


def test_a_login_is_a_cookie_that_ends_with_the_logout(here: Site) -> None:
    page = here.client.get("/incidents?incident=i", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fincidents%3Fincident%3Di")
    assert "/incidents?incident=i" in here.client.get(page.headers["location"]).text
    answer = log_in(here, next="/incidents?incident=i")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?incident=i")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert here.client.get("/forecast", headers={"accept": "text/html"}).status_code == 200
    session = here.client.get("/api/v1/session").json()
    assert (session["name"], session["scope"], session["via"]) == ("the operate", "operate", "session")
    value = here.client.cookies["tpscope-session"]
    assert here.client.post("/logout", data={"csrf": "wrong"}).status_code == 403
    assert here.client.post("/logout", data={"csrf": session["csrf_token"]}).status_code == 303
    again = here.client.get("/api/v1/session", headers={"cookie": f"tpscope-session={value}"})
    assert again.status_code == 401, "what the browser may have kept opens nothing"
    assert {"POST /login", "POST /logout"} <= {one.action for one in read_audit(here.store)}


def test_behind_tls_the_cookie_is_for_tls_alone(here: Site) -> None:
    settings = WebSettings(public_url="https://tpscope.example", host="0.0.0.0")
    identifier = Identifier(settings, Directory(here.store, settings, here.clock))
    assert identifier.is_secure({"type": "http", "scheme": "http", "headers": [], "client": ADDRESS})
    proxied = Identifier(WebSettings.model_validate(PROXY), Directory(here.store, settings, here.clock))
    headers = [(b"x-forwarded-proto", b"https")]
    assert proxied.is_secure({"type": "http", "scheme": "http", "headers": headers, "client": ADDRESS})
    assert not proxied.is_secure({"type": "http", "scheme": "http", "headers": headers, "client": ("198.51.100.1", 1)})


def test_a_session_ends_with_its_time_and_with_its_token(here: Site) -> None:
    log_in(here, "read")
    assert here.client.get("/api/v1/session").status_code == 200
    directory = Directory(here.store, here.settings.web, here.clock)
    token = directory.token_of(here.tokens["read"])
    assert token is not None
    secret, session = directory.begin(token)
    assert directory.session_of(secret) is not None
    assert session.hash in {one.hash for one in read_sessions(here.store, here.clock.now())}
    before = here.clock.now()
    here.clock.advance(here.settings.web.session_life)
    try:
        assert directory.session_of(secret) is None
        assert here.client.get("/api/v1/session").status_code == 401
    finally:
        here.clock.advance(before - here.clock.now())


def test_tokens_of_tenants_are_not_for_the_pages(here: Site) -> None:
    answer = log_in(here, "tenant")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_logins_are_tried_a_few_times_a_minute_only(here: Site) -> None:
    directory = Directory(here.store, here.settings.web, here.clock)
    web = Web(store=here.store, settings=here.settings, clock=here.clock)
    pages = access_pages.router(web, Workers(), directory, Identifier(here.settings.web, directory))
    app = FastAPI()  # with a router of its own, so that the other tests may log in
    problems.install(app)
    app.include_router(pages)
    with in_process(app) as client:
        statuses = [client.post("/login", data={"token": "x"}).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


def test_a_login_leads_to_our_own_pages_only(here: Site) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"):
        assert own_path(target) == "/"
    assert log_in(here, "read", next="//evil.example").headers["location"] == "/"


def test_from_a_link_in_a_chat_a_page_opens_itself_again(here: Site) -> None:
    headers = {"accept": "text/html", "sec-fetch-site": "cross-site"}
    page = here.client.get("/incidents?incident=i&x=%22%3E", headers=headers)
    assert page.status_code == 200
    assert 'content="0; url=/incidents?incident=i&amp;x=%22%3E"' in page.text
    assert 'url=/"' in here.client.get("//evil.example/", headers=headers).text


def silence(here: Site, headers: dict[str, str]) -> int:
    return here.client.post("/api/v1/silences", json={"match": {"rule": "x"}}, headers=headers).status_code


def test_actions_of_a_login_need_its_token_and_our_own_page(here: Site) -> None:
    before = len(read_silences(here.store, here.clock.now()))
    log_in(here)
    csrf = {"X-CSRF-Token": here.client.get("/api/v1/session").json()["csrf_token"]}
    assert silence(here, {}) == 403, "a cookie alone does nothing"
    assert silence(here, {"X-CSRF-Token": "0" * 64}) == 403
    assert silence(here, {**csrf, "origin": "https://evil.example"}) == 403
    assert silence(here, {**csrf, "origin": "null"}) == 403
    assert silence(here, {**csrf, "sec-fetch-site": "cross-site"}) == 403
    assert silence(here, {**csrf, "sec-fetch-site": "same-site"}) == 403, "a neighbour below the same domain is another site"
    assert len(read_silences(here.store, here.clock.now())) == before
    assert silence(here, {**csrf, "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}) == 201
    assert len(read_silences(here.store, here.clock.now())) == before + 1
    forged = here.client.post("/login", data={"token": here.tokens["read"]}, headers={"sec-fetch-site": "cross-site"})
    assert forged.status_code == 403, "nobody is logged in by another site"


def test_every_action_is_noted_with_who_did_it(here: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = here.client.post("/api/v1/silences", json={"match": {"rule": "noted"}}, headers=here.as_("operate")).json()
    mask = {
        "kind": "incident",
        "why": "x",
        "who": "somebody else",
        "from": "2020-01-01T00:00:00Z",
        "until": "2020-01-02T00:00:00Z",
    }
    assert here.client.post("/api/v1/masks", json=mask, headers=here.as_("operate")).status_code == 201
    acknowledged = here.client.post(
        "/api/v1/incidents/i-slow/actions", json={"action": "acknowledge"}, headers=here.as_("admin")
    )
    assert (acknowledged.status_code, acknowledged.json()["who"]) == (201, "the admin")
    assert here.client.post("/api/v1/silences/nosuch/end", headers=here.as_("operate")).status_code == 404
    events = here.client.get("/api/v1/audit", headers=here.as_("admin")).json()["events"]
    found = {(one["action"], one["actor"], one["detail"]["status"]) for one in events if "status" in one["detail"]}
    assert {
        ("POST /api/v1/silences", "the operate", 201),
        ("POST /api/v1/masks", "the operate", 201),
        ("POST /api/v1/incidents/{incident_id}/actions", "the admin", 201),
        ("POST /api/v1/silences/{silence_id}/end", "the operate", 404),
    } <= found
    assert made["id"] in str(events)
    assert "audit: POST /api/v1/silences" in caplog.text
    ended = here.client.post(f"/api/v1/silences/{made['id']}/end", headers=here.as_("operate"))
    assert ended.status_code == 200
    assert made["id"] not in str(here.client.get("/api/v1/silences", headers=here.as_("read")).json())


def test_an_action_that_nobody_waited_for_is_noted_too(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the engine broke after it had written")

    monkeypatch.setattr("dashboards.api.silences.write_silence", broken)
    assert silence(here, here.as_("admin")) == 500
    # Among all of them: the commands' events have the machine's time, which is later than the clock of these tests.
    wait_until(lambda: any('"answered":false' in one.detail for one in read_audit(here.store)), 10)


def test_a_link_of_a_message_needs_no_login_and_is_noted(here: Site) -> None:
    link = ActionLink(
        incident_id="i-slow",
        action=Action.SNOOZE,
        receiver="chat",
        nonce="n1",
        expires_at=here.clock.now() + timedelta(hours=1),
    )
    token = sign(link, KEY)
    assert here.client.get("/act", params={"link": token}).status_code == 200
    assert here.client.post("/act", data={"link": token}).status_code == 200
    assert here.client.post("/act", data={"link": token}).status_code == 400, "once"
    noted = next(one for one in read_audit(here.store) if one.action == "POST /act" and one.actor == "link of chat")
    assert '"snooze"' in noted.detail


def test_probes_are_open_but_tell_strangers_nothing(here: Site) -> None:
    assert here.client.get("/healthz").status_code == 200
    assert "reasons" not in here.client.get("/readyz").json()
    assert "reasons" in here.client.get("/readyz", headers=here.as_("read")).json()
    assert here.client.get("/metrics").status_code == 401
    assert "tpscope_web_requests_total" in here.client.get("/metrics", headers=here.as_("read")).text


def identified(here: Site, web: dict[str, Any], address: str, *headers: tuple[bytes, bytes]) -> Any:
    settings = WebSettings.model_validate(web)
    identifier = Identifier(settings, Directory(here.store, settings, here.clock))
    return identifier.principal({"type": "http", "headers": list(headers), "client": (address, 1)})


def test_a_proxys_user_is_believed_from_the_proxy_alone(here: Site) -> None:
    ada, bob = (b"x-forwarded-user", b"ada"), (b"x-forwarded-user", b"bob")
    assert identified(here, PROXY, "203.0.113.9", ada).scope is Scope.OPERATE
    assert identified(here, PROXY, "203.0.113.9", bob).scope is Scope.READ
    assert identified(here, PROXY, "198.51.100.7", ada).scope is None
    assert identified(here, PROXY, "198.51.100.7", ada, (b"x-forwarded-for", b"203.0.113.9")).scope is None
    assert identified(here, PROXY, "203.0.113.9", ada, bob).scope is None, "one name was put there by somebody else"
    assert identified(here, PROXY, "203.0.113.9").scope is None


def test_on_loopback_nobody_logs_in_and_elsewhere_everybody(here: Site) -> None:
    assert identified(here, {}, "127.0.0.1") is LOCAL
    assert identified(here, {}, "127.0.0.1", (b"authorization", b"Basic eDp5")) is LOCAL
    assert identified(here, {"login": "always"}, "127.0.0.1").scope is None
    for host, local in (("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False)):
        assert WebSettings(host=host).is_local is local
        assert WebSettings(host=host).login_needed is not local


def test_without_a_token_nothing_starts_that_others_can_reach(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    open_host = WebSettings(host="0.0.0.0")
    check_way_in(here.store, open_host, here.clock)
    monkeypatch.setattr("dashboards.access.directory.read_tokens", lambda store: [])
    check_way_in(here.store, WebSettings(), here.clock)
    check_way_in(here.store, WebSettings.model_validate({**PROXY, "host": "0.0.0.0"}), here.clock)
    with pytest.raises(ConfigError, match=r"web\.host: '0\.0\.0\.0' can be reached .* run `tpscope token create") as refused:
        check_way_in(here.store, open_host, here.clock)
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="tpscope token create"):
        Service(Settings(web=open_host), here.store, Role.WEB, here.clock).start_web()
    monkeypatch.setenv("WEB_TOKEN", "t" * 40)
    configured = WebSettings.model_validate({"host": "0.0.0.0", "admin_token": "env:WEB_TOKEN"})
    check_way_in(here.store, configured, here.clock)
    found = Directory(here.store, configured, here.clock).token_of("t" * 40)
    assert found is not None
    assert found.scope is Scope.ADMIN
    monkeypatch.setenv("WEB_TOKEN", "short")
    with pytest.raises(ValueError, match="too short"):
        WebSettings.model_validate({"admin_token": "env:WEB_TOKEN"})


def test_too_many_requests_wait(here: Site) -> None:
    async def reached(request: Any) -> Response:
        return Response(status_code=204)

    settings = Settings.model_validate({"web": {"rate_limit": 3}})
    stub = Starlette(routes=[Route("/{path:path}", reached)])
    web = Web(store=here.store, settings=settings, clock=here.clock)
    identifier = Identifier(settings.web, Directory(here.store, settings.web, here.clock))
    stub.add_middleware(AccessGate, web=web, workers=Workers(), identifier=identifier)
    with in_process(stub, ADDRESS) as client:
        statuses = [client.get("/api/v1/status").status_code for _ in range(4)]
        assert statuses == [204, 204, 204, 429]
        assert int(client.get("/api/v1/status").headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 204


# --- tenants ----------------------------------------------------------------------------------------------------------------


def get(here: Site, role: str, path: str, **query: Any) -> Any:
    answer = here.client.get(f"/api/v1/{path}", params=query, headers=here.as_(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(here: Site, role: str, path: str, **query: Any) -> str:
    answer = here.client.get(f"/api/v1/{path}", params=query, headers=here.as_(role))
    assert answer.status_code == 403, answer.text
    return str(answer.json()["detail"])


def total(body: Any) -> float:
    return sum(value or 0 for line in body["series"] for _, value in line["points"])


def test_a_tenants_series_are_its_own(here: Site) -> None:
    own = get(here, "tenant", "series", metric="tps", last="2h")
    assert own["series"] == get(here, "read", "series", metric="tps", last="2h", tenant="team-1")["series"]
    assert 0 < total(own) < total(get(here, "read", "series", metric="tps", last="2h"))
    split = get(here, "tenant", "series", metric="tps", last="2h", by="tenant")["series"]
    assert {one["labels"]["tenant"] for one in split} == {"team-1"}
    assert "does not see" in refused(here, "tenant", "series", metric="tps", tenant="team-2")
    assert "is needed" in refused(here, "tenants", "series", metric="tps")
    assert get(here, "tenants", "series", metric="tps", last="2h", tenant="team-2")["series"]
    assert "divided by tenant" in refused(here, "tenant", "series", metric="queue_depth")


def test_a_tenants_calls_are_its_own(here: Site) -> None:
    assert {one["tenant"] for one in get(here, "tenant", "calls", limit=50)["calls"]} == {"team-1"}
    assert {one["tenant"] for one in get(here, "tenants", "calls", limit=200)["calls"]} == {"team-1", "team-2"}
    refused(here, "tenant", "calls", tenant="team-2")
    refused(here, "tenant", "exports/calls", tenant="team-2")
    exported = here.client.get("/api/v1/exports/calls", params={"format": "json"}, headers=here.as_("tenant")).json()
    assert {row["tenant"] for row in exported["rows"]} == {"team-1"}
    foreign = next(one for one in get(here, "read", "calls", limit=200)["calls"] if one["tenant"] != "team-1")
    assert get(here, "tenant", "calls", request_id=foreign["request_id"])["calls"] == []


def test_what_a_tenant_is_told_names_no_other(here: Site) -> None:
    assert [one["id"] for one in get(here, "tenant", "anomalies")["anomalies"]] == ["a-own"]
    assert here.client.get("/api/v1/incidents/i-slow", headers=here.as_("tenant")).status_code == 404
    assert here.client.get("/api/v1/anomalies/a-slow", headers=here.as_("tenant")).status_code == 404
    body = {"action": "acknowledge"}
    assert here.client.post("/api/v1/incidents/i-slow/actions", json=body, headers=here.as_("tenant")).status_code == 404
    for path, count in (("exports/anomalies", 1), ("exports/incidents", 1)):
        found = here.client.get(f"/api/v1/{path}", params={"format": "json"}, headers=here.as_("tenant")).json()["rows"]
        assert len(found) == count, path
    prometheus = "prometheus/api/v1"
    assert get(here, "tenant", f"{prometheus}/label/tenant/values")["data"] == ["team-1"]
    answer = here.client.get(
        f"/api/v1/{prometheus}/query", params={"query": 'tps{tenant="team-2"}'}, headers=here.as_("tenant")
    )
    assert answer.status_code == 403
    for path in ("status", "capacity", "silences"):
        refused(here, "tenant", path)


ASKED: dict[str, dict[str, str]] = {
    "/api/v1/openapi.json": {},
    "/api/v1/session": {},
    "/api/v1/series": {"metric": "tps", "last": "2h", "by": "tenant"},
    "/api/v1/calls": {"limit": "1000"},
    "/api/v1/anomalies": {},
    "/api/v1/anomalies/a-own": {},
    "/api/v1/incidents": {},
    "/api/v1/incidents/i-own": {},
    "/api/v1/forecasts": {},
    "/api/v1/forecasts/points": {"metric": "tps"},
    "/api/v1/objectives": {},
    "/api/v1/baselines": {},
    "/api/v1/baselines/points": {"metric": "tps"},
    "/api/v1/masks": {"all": "true"},
    "/api/v1/changes": {},
    "/api/v1/changes/c-own": {},
    "/api/v1/exports/series": {"metric": "tps", "last": "2h", "by": "tenant"},
    "/api/v1/exports/calls": {},
    "/api/v1/exports/anomalies": {},
    "/api/v1/exports/incidents": {},
    "/api/v1/exports/forecasts": {"metric": "tps"},
    "/api/v1/what-if/none": {},
    f"/{PROMETHEUS}/query": {"query": "avg by (tenant) (latency_p95)"},
    f"/{PROMETHEUS}/query_range": {"query": "sum by (tenant) (tps)", "start": "-3600", "end": "0", "step": "60"},
    f"/{PROMETHEUS}/query_exemplars": {"query": "tps"},
    f"/{PROMETHEUS}/labels": {},
    f"/{PROMETHEUS}/series": {"match[]": "tps"},
    f"/{PROMETHEUS}/label/tenant/values": {"match[]": 'tps{tenant="team-2"}'},
    f"/{PROMETHEUS}/metadata": {},
    f"/{PROMETHEUS}/rules": {},
    f"/{PROMETHEUS}/alerts": {},
    f"/{PROMETHEUS}/status/buildinfo": {},
}
"""What a tenant's token is given, asked so that others' rows would be there; a number is seconds from the end of the data."""

ANSWERS_OWN = ("anomalies", "incidents", "forecasts", "baselines", "objectives", "masks", "changes", "exports/calls")


def test_no_answer_to_a_tenant_names_another_one(here: Site) -> None:
    for (method, path), roles in ALLOWED.items():
        if method == "GET" and "tenant" in roles and path.startswith("/api/v1/"):
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
            assert any(re.fullmatch(pattern, one) for one in ASKED), f"{path}: say here what is asked"
    end = here.filled.end.timestamp()
    for path, query in ASKED.items():
        asked = {name: str(end + int(text)) if name in ("start", "end") else text for name, text in query.items()}
        everybody = here.client.get(path, params=asked, headers=here.as_("read"))
        own = here.client.get(path, params=asked, headers=here.as_("tenant"))
        assert (own.status_code, everybody.status_code) in ((200, 200), (404, 404), (404, 200)), own.text
        assert re.findall(r"team-(?!1\b)\w+", own.text) == [], path
        if path.removeprefix("/api/v1/") in ANSWERS_OWN:
            assert "team-1" in own.text, path
            assert "team-2" in everybody.text, path
    for path in ("anomalies/a-other", "incidents/i-other", "changes/c-other"):
        assert here.client.get(f"/api/v1/{path}", headers=here.as_("tenant")).status_code == 404


def post_calls(here: Site, role: str, body: bytes, key: str | None, **headers: str) -> httpx.Response:
    named = {} if key is None else {"Idempotency-Key": key}
    headers = here.as_(role, **named, **{"content-type": "application/x-ndjson"}, **headers)
    return here.client.post("/api/v1/calls", content=body, headers=headers)


def test_a_tenant_writes_its_own_calls_only(here: Site) -> None:
    before = calls.count_calls(here.store)
    at = here.filled.end.isoformat()
    foreign = f'{{"ts":"{at}","tenant":"team-1"}}\n{{"ts":"{at}","tenant":"team-2"}}'.encode()
    answer = post_calls(here, "tenant", foreign, "mixed")
    assert (answer.status_code, answer.json()["parameter"]) == (403, "tenant")
    assert calls.count_calls(here.store) == before, "nothing of it"
    assert post_calls(here, "tenant", f'{{"ts":"{at}","tenant":"team-1"}}'.encode(), "mine").json()["written"] == 1
    assert post_calls(here, "read", b'{"ts":1}', "r").status_code == 403


# --- attacks ----------------------------------------------------------------------------------------------------------------

SQL = ["'; DROP TABLE calls; --\\", "{tenant:String} \\'; SELECT 1", "x' UNION SELECT hash FROM api_tokens --"]


@pytest.mark.parametrize("text", SQL)
def test_sql_in_filters_is_a_value_like_any_other(here: Site, text: str) -> None:
    assert get(here, "read", "calls", service=text)["calls"] == []
    assert get(here, "read", "calls", request_id=text)["calls"] == []
    assert total(get(here, "read", "series", metric="tps", route=text)) == 0
    expression = 'tps{service="' + text.replace("\\", "\\\\").replace('"', '\\"') + '"}'
    here.client.get("/api/v1/prometheus/api/v1/query", params={"query": expression}, headers=here.as_("read"))
    assert get(here, "admin", "audit", action=text)["events"] == []
    for name in ("by", "metric"):
        query = {"metric": "tps", name: text}
        assert here.client.get("/api/v1/series", params=query, headers=here.as_("read")).status_code == 400
    assert get(here, "read", "status")["store"]["calls"] > 0


def test_a_routes_name_with_script_in_it_stays_text(here: Site) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    at = here.filled.end.isoformat()
    line = f'{{"ts":"{at}","service":"xss","route":"/{evil.replace(chr(34), chr(92) + chr(34))}","request_id":"=1+1"}}'
    assert post_calls(here, "operate", line.encode(), "xss").json()["written"] == 1
    answer = here.client.get("/api/v1/calls", params={"service": "xss", "last": "5m"}, headers=here.as_("read"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"].split("style-src")[0]
    page = here.client.get("/login", params={"next": f"/{evil}"})
    assert "<script>" not in page.text
    assert "<img" not in page.text
    sheet = here.client.get("/api/v1/exports/calls", params={"service": "xss", "last": "5m"}, headers=here.as_("read"))
    assert "'=1+1" in sheet.text, "a spreadsheet does not calculate it"


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/..%2fserver.py", "/api/docs/..%2f__init__.py"]
)
def test_no_path_leads_out_of_what_is_served(here: Site, path: str) -> None:
    answer = here.client.get(path, headers=here.as_("read"))
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_an_exports_name_holds_no_path_and_no_header(here: Site) -> None:
    for name in ("../../etc/passwd", "x\r\nSet-Cookie: a=b"):
        query = {"metric": "tps", "service": name, "last": "2h"}
        answer = here.client.get("/api/v1/exports/series", params=query, headers=here.as_("read"))
        assert re.fullmatch(r'attachment; filename="tpscope-[a-z0-9-]+\.csv"', answer.headers["content-disposition"])
        assert "set-cookie" not in answer.headers
    assert here.client.get("/api/v1/exports/..%2f..%2fetc", headers=here.as_("read")).status_code == 404


def test_bodies_beyond_the_limit_are_not_read(here: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_CALLS_BODY // 2**20 + 2):
            yield b" " * 2**20

    announced = post_calls(here, "operate", b"{}", "big", **{"content-length": str(MAX_CALLS_BODY + 1)})
    assert announced.status_code == 413
    streamed = here.client.post("/api/v1/calls", content=endless(), headers=here.as_("operate", **{"Idempotency-Key": "e"}))
    assert streamed.status_code == 413
    small = here.client.post("/api/v1/silences", content=b" " * (2**20 + 1), headers=here.as_("operate"))
    assert small.status_code == 413


def test_a_cookie_of_nonsense_opens_nothing(here: Site) -> None:
    for value in ("x", "x" * 5000, "; tpscope-session=", "tpscope-session=\x01", f"tpscope-session={'a' * 43}"):
        answer = here.client.get("/api/v1/session", headers={"cookie": value.encode("latin-1")})
        assert answer.status_code == 401


def test_a_client_that_sends_slowly_is_let_go(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head of a request, and its body: neither holds a connection for ever."""

    async def swallow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            while (await receive()).get("more_body"):
                pass

    guard = Guard(
        swallow, hosts=AllowedHosts(WebSettings()), limit=timedelta(seconds=0.3), policy=lambda: content_security_policy([])
    )
    monkeypatch.setattr(run, "HEADER_S", 0.3)
    server = run.serve(guard, "127.0.0.1", 0)  # type: ignore[arg-type]

    async def said(text: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(text)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    try:
        assert asyncio.run(said(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")) == b""
        body = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nabc"
        assert asyncio.run(said(body)).startswith(b"HTTP/1.1 408")
    finally:
        server.stop()
