"""The page of recommendations in headless Chromium: what it says equals the store, and decisions made on it are stored."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from core.clock import FakeClock
from core.config import Settings
from core.recommendations import Effect, Finding, Outcome, Recommendation, RecommendationState, Verdict
from core.series import Selector
from core.types import JobState
from dashboards.run import serve
from dashboards.server import create_app
from storage.contract import Store
from storage.jobs import write_job
from storage.recommendations import read_recommendations, write_recommendations
from tests.integration.test_pages import SCREENSHOTS, serious_barriers
from tests.support.browser import DESKTOP, PHONE, BrowserPage
from tests.support.stores import chdb_store

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
CACHE = Finding(
    rule="cache_route",
    selector=Selector.of(route="/v1/chat"),
    about="",
    action="Cache answers of route /v1/chat for an hour",
    evidence=("31 % of 120,000 calls repeat a prompt of the last hour.", "They cost 412 USD."),
    effect=Effect(
        measure="cost_per_call", scope=Selector.of(route="/v1/chat"), unit="USD", before=0.0111, after=0.0077, lower=0.007,
        upper=0.0083,
    ),
    gain=0.214,
    gain_of="cost",
    confidence=0.81,
    verify="Watch the cost of a call of route /v1/chat for a week.",
)  # fmt: skip
FASTER = replace(
    CACHE,
    rule="faster_provider",
    action="Send model m of provider <slow> to provider quick",
    effect=replace(CACHE.effect, measure="mean_latency", unit="ms", before=1900.0, after=1300.0, lower=1200.0, upper=1500.0),
    gain=0.062,
    gain_of="waiting",
)
LOOSE = replace(CACHE, rule="objective_level", action="Tighten the objective quick", gain=0.01, gain_of="nothing but alarms")


def known(name: str, finding: Finding, state: RecommendationState = RecommendationState.OPEN) -> Recommendation:
    return Recommendation(id=name, finding=finding, start=NOW - timedelta(days=7), end=NOW, found_at=NOW, state=state)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("recommendations")) as opened:
        yield opened


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """One open recommendation, one accepted that was measured, one dismissed; the job has looked an hour ago."""
    outcome = Outcome(checked_at=NOW, calls=54_321, measured=1350.0, verdict=Verdict.KEPT)
    accepted = known("faster", FASTER).decided(RecommendationState.ACCEPTED, "ada", "", NOW - timedelta(days=1))
    dismissed = known("loose", LOOSE).decided(RecommendationState.DISMISSED, "bob", "A customer's contract", NOW)
    write_recommendations(store, [known("cache", CACHE), replace(accepted, outcome=outcome), dismissed])
    job = JobState(
        name="recommendations", cursor=NOW, last_success_at=NOW - timedelta(hours=1), last_error_at=None, last_error="",
        duration_s=1.0,
    )  # fmt: skip
    write_job(store, job, 1)
    server = serve(create_app(store, Settings(), FakeClock(NOW), token=None), "127.0.0.1", 0)
    yield server.address
    server.stop()


def opened(shown: BrowserPage, address: str) -> Page:
    page = shown.open(address)
    expect(page.locator("#recommendations-body .segments")).to_be_visible()
    return page


@pytest.mark.parametrize(("width", "mode"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_the_largest_gain_comes_first_with_all_that_is_known(browser: Browser, address: str, width: int, mode: str) -> None:
    with BrowserPage(browser, width=width, timeout_s=40) as shown:
        shown.page.emulate_media(color_scheme="dark" if mode == "dark" else "light", reduced_motion="reduce")
        page = opened(shown, f"{address}/recommendations")
        expect(page.locator("#recommendations-body h2")).to_have_text([CACHE.action, FASTER.action])
        first, second = (page.locator(f"#recommendation-{name}") for name in ("cache", "faster"))
        for words in ("21.4 %", "of all cost", "0.0077", "instead of 0.0111 USD", "in 9 of 10 cases", "81 %", *CACHE.evidence):
            expect(first).to_contain_text(words)
        expect(first).to_contain_text(CACHE.verify)
        for words in ("1,300 ms", "instead of 1,900 ms", "1,350 ms", "✓ as predicted", "54,321 calls", "by ada"):
            expect(second).to_contain_text(words)
        expect(page.locator("#recommendations-span")).to_contain_text("looked Thu 12 Mar 08:30")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert serious_barriers(page) == []
        shown.screenshot(SCREENSHOTS / f"recommendations-{width}-{mode}.png")
        page.get_by_role("link", name="Dismissed (1)").click()
        expect(page.locator("#recommendation-loose")).to_contain_text("A customer's contract")
        page.get_by_role("link", name="Found no more (0)").click()
        expect(page.locator("#recommendations-body")).to_contain_text("There is none in this state.")
        shown.assert_clean()


def test_decisions_are_stored_and_a_dismissal_says_why(browser: Browser, address: str, store: Store) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, f"{address}/recommendations?recommendation=cache")
        expect(page.locator("#recommendations-body h2")).to_have_text([CACHE.action])
        page.get_by_role("button", name="Dismiss").click()
        page.get_by_role("button", name="Do it").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        page.get_by_label("Why").fill("Answers must be fresh")
        page.get_by_role("button", name="Do it").click()
        expect(page.locator("#recommendation-cache .badge")).to_have_text("Dismissed")
        (one,) = read_recommendations(store, "cache")
        assert (one.state, one.why) == (RecommendationState.DISMISSED, "Answers must be fresh")
        page.get_by_role("button", name="Accept").click()
        page.get_by_role("button", name="Do it").click()
        expect(page.locator("#recommendation-cache .badge")).to_have_text("Accepted")
        expect(page.locator("#recommendation-cache")).to_contain_text("Measured from six hours after it was accepted")
        assert read_recommendations(store, "cache")[0].state is RecommendationState.ACCEPTED
        shown.assert_clean()
