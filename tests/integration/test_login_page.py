"""The login in Chromium: into the pages, the API's documentation, and out again."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from core.access import ApiToken, Scope, hash_of, new_token
from core.clock import SystemClock
from core.config import Settings
from dashboards.run import serve
from dashboards.server import create_app
from storage.tokens import write_token
from tests.support.browser import PHONE, BrowserPage
from tests.support.stores import chdb_store


def test_people_log_in_and_out(browser: Browser, tmp_path: Path) -> None:
    clock = SystemClock()
    settings = Settings.model_validate({"web": {"login": "always"}})
    id_, secret = new_token()
    with chdb_store(tmp_path) as store:
        token = ApiToken(
            id=id_, name="ada", hash=hash_of(secret), scope=Scope.OPERATE, tenants=(), created_at=clock.now(), created_by="x"
        )
        write_token(store, token)
        server = serve(create_app(store, settings, clock, token=None), "127.0.0.1", 0)
        try:
            with BrowserPage(browser, width=PHONE, timeout_s=40) as shown:
                page = shown.open(f"{server.address}/incidents")
                expect(page).to_have_url(re.compile(r"/login\?next=%2Fincidents$"))
                page.get_by_label("Token").fill(secret)
                page.get_by_role("button", name="Log in").click()
                expect(page).to_have_url(f"{server.address}/incidents")
                expect(page.locator("#incidents-list")).to_contain_text("No incident has been opened")
                page.wait_for_function("document.documentElement.dataset.may === 'operate'")

                page = shown.open(f"{server.address}/api/docs")
                expect(page.get_by_text("One metric over time", exact=True).first).to_be_visible()

                page = shown.open(f"{server.address}/account")
                expect(page.get_by_text("ada")).to_be_visible()
                shown.assert_clean()
                page.get_by_role("button", name="Log out").click()
                expect(page).to_have_url(f"{server.address}/login")
                page.goto(server.address)
                expect(page).to_have_url(re.compile(r"/login"))
        finally:
            server.stop()
