"""The pages of a service that has just been started, and of one whose store is gone: words instead of empty boxes."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from core.clock import SystemClock
from core.config import Settings
from dashboards.run import serve
from dashboards.server import create_app
from tests.support.browser import BrowserPage
from tests.support.stores import chdb_store


def test_a_service_without_a_call_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        server = serve(create_app(store, Settings(), SystemClock(), token=None), "127.0.0.1", 0)
        try:
            with BrowserPage(browser, timeout_s=40) as shown:
                page = shown.open(server.address)
                expect(page.locator("#overview-notes")).to_contain_text("tpscope import FILE")
                expect(page.locator(".veil").first).to_have_text("No calls have been recorded yet.")
                expect(page.locator(".tile").first).to_contain_text("no calls yet")
                expect(page.locator("#status")).to_contain_text("no calls yet")
                page.get_by_role("link", name="Forecast").click()
                expect(page.locator("#forecast-words")).to_contain_text("There is no forecast yet: no calls have been recorded")
                page.get_by_role("link", name="Incidents", exact=True).click()
                expect(page.locator("#incidents-list")).to_contain_text("No incident has been opened")
                page.get_by_role("link", name="Objectives").click()
                expect(page.locator("#objectives-body")).to_contain_text("No objective is configured")
                expect(page.locator("#objectives-body")).to_contain_text("No transaction is configured")
                page.get_by_role("link", name="Pipeline").click()
                expect(page.locator("#pipeline-body")).to_contain_text("Nothing has been read from Kafka")
                expect(page.locator("#pipeline-body")).to_contain_text("Every record could be read")
                shown.assert_clean()

                store.close()
                page = shown.open(server.address)
                expect(page.locator("#overview-notes")).to_contain_text("The store does not answer", timeout=25_000)
                expect(page.locator("#status")).to_contain_text("The store does not answer", timeout=25_000)
                shown.assert_clean()
        finally:
            server.stop()
