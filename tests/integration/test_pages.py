"""The pages in headless Chromium, over an embedded store that holds eight days of traffic and two incidents.

Each page is photographed at both widths and in both modes into `screenshots/`, for people to look at.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

import orjson
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from core.config import Settings
from core.predicting import unheard
from core.recommendations import Effect, Finding, Outcome, Recommendation, RecommendationState, Verdict
from core.series import ALL_CALLS, Selector
from core.types import Action, SeriesRequest
from core.whatif_text import scenario_json, scenario_yaml
from dashboards.context import Web
from dashboards.look import Look
from dashboards.objectives import standings
from dashboards.objectives_page import load_objectives
from dashboards.whatif.asked import read_scenario
from dashboards.window import iso
from render.units import format_range, format_value
from storage import health, series
from storage.audit import read_audit
from storage.call_pages import CallQuestion, read_slowest_page
from storage.forecasts import read_forecast
from storage.masks import read_masks
from storage.recommendations import read_recommendations, write_recommendations
from storage.silences import read_actions
from storage.spans import read_spans
from storage.transaction_series import read_counts
from storage.transactions import count_transactions, write_definitions
from tests.support import hostile
from tests.support.browser import DESKTOP, PHONE, BrowserPage
from tests.support.data import REPOSITORY
from tests.support.page_checks import ROWS, WALK
from tests.support.web import Service, filled_service
from tpscope.predicting import predictor_of

Mode = Literal["light", "dark"]

SCREENSHOTS = REPOSITORY / "screenshots"
ZONE = "Europe/Berlin"
LOOKED_AT = [(path, PHONE, "dark") for path in ROWS] + [(path, DESKTOP, "light") for path, row in ROWS.items() if row.desktop]
WINDOWED = [path for path, row in ROWS.items() if row.window == WALK]
TRANSACTIONS = [{"name": "orders", "selector": {"service": "orders"}, "thresholds": ["100ms"]}]
READY = """() => {
    const charts = [...document.querySelectorAll('.js-plotly-plot')].filter(chart => chart.offsetParent !== null);
    const waiting = [...document.querySelectorAll('.veil, .notice')].some(one => one.textContent === 'Loading …');
    const single = document.querySelector('#calls-list, #call-body, #what-if-body, #recommendations-body') !== null;
    return (charts.length > 0 || single) && charts.every(chart => (chart.data || []).length > 0) && !waiting;
}"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    with filled_service(folder, days=8, per_minute=60, time_zone=ZONE, transactions=TRANSACTIONS) as running:
        end, definitions = running.filled.end, [one.definition for one in running.settings.transactions]
        write_definitions(running.store, definitions, end - timedelta(hours=3), 1)
        count_transactions(running.store, definitions, end - timedelta(days=1), end, 1)
        yield running


def opened(shown: BrowserPage, address: str, mode: Mode = "light") -> Page:
    """Go there and wait until every chart is drawn."""
    shown.page.emulate_media(color_scheme=mode, reduced_motion="reduce")
    page = shown.open(address)
    page.wait_for_function(READY, timeout=40_000)
    return page


def serious_barriers(page: Page) -> list[str]:
    """What axe-core calls serious or critical, in its words."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {[node['target'] for node in one['nodes'][:3]]} {one['help']}" for one in bad]


def chart(page: Page, name: str) -> dict[str, list[Any]]:
    """Values by trace of an overview's chart, as the browser has them."""
    script = """name => Object.fromEntries([...document.querySelectorAll('.dash-graph')]
        .find(graph => graph.id.includes('"chart":"' + name + '"')).querySelector('.js-plotly-plot')
        .data.map(trace => [trace.name, Array.from(trace._inputY || trace.y)]))"""
    values: dict[str, list[Any]] = page.evaluate(script, name)
    return values


@pytest.mark.parametrize(("path", "width", "mode"), LOOKED_AT)
def test_each_page_is_drawn_without_a_complaint(browser: Browser, service: Service, path: str, width: int, mode: Mode) -> None:
    with BrowserPage(browser, width=width, timeout_s=40) as shown:
        page = opened(shown, service.address + ROWS[path].address, mode)
        shown.screenshot(SCREENSHOTS / f"{path.strip('/') or 'overview'}-{width}-{mode}.png")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, "the page scrolls sideways"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(14, 19, 26)") is (mode == "dark")
        texts = page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.layout.font.color)")
        assert set(texts) <= {"#e6eaf1" if mode == "dark" else "#1b2330"}
        assert serious_barriers(page) == []
        shown.assert_clean()


def test_the_numbers_on_the_page_are_the_stores(browser: Browser, service: Service) -> None:
    end = service.filled.end
    request = SeriesRequest(metric="tps", start=end - timedelta(hours=1), end=end, step_s=60, selector=ALL_CALLS)
    stored = series.read_series(service.store, request)["value"].tolist()
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h")
        drawn = chart(page, "tps")["observed"]
        assert drawn[-60:] == pytest.approx(stored, abs=1e-6)
        tile = page.locator(".tile", has_text="TPS").locator(".tile-value").inner_text()
        assert float(tile.split()[0]) == pytest.approx(stored[-1], rel=0.01)
        expect(page.locator("#overview-span")).to_contain_text(f"time zone {ZONE}")
        expect(page.locator("#status")).to_contain_text("live")
        expect(page.locator("#status")).to_contain_text("1 firing")
        expect(page.locator(".foot")).to_contain_text("3 dead letters")
        shown.assert_clean()


def test_objectives_show_what_the_store_says(browser: Browser, service: Service) -> None:
    end = service.filled.end
    asked = read_spans(service.store, "error_rate", [(end - timedelta(days=30), end)], ALL_CALLS)
    rate = float(asked["value"].iloc[0])
    counted = read_counts(service.store, service.settings.transactions[0].definition, end - timedelta(days=7), end, 3600)
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + ROWS["/objectives"].address)
        row = page.locator("#objectives-body tbody tr", has_text="few errors")
        expect(row).to_contain_text(format_value(rate, "1"))
        expect(row).to_contain_text(f"{1 - rate / 0.05:.2%}".replace("%", " %"))
        expect(row).to_contain_text("✓ kept")
        expect(page.locator("#objectives-body")).to_contain_text("3 d and 6 h")
        transaction = page.locator("#objectives-body tbody tr", has_text="service orders")
        expect(transaction).to_contain_text(f"{int(counted['total'].sum()):,}")
        expect(page.locator(".legend-item", has_text="new version").first).to_be_visible()
        page.get_by_role("link", name="fast", exact=True).click()
        page.wait_for_url("**/objectives?*objective=fast*")
        expect(page.get_by_role("heading", name="fast: all traffic")).to_be_visible()
        shown.assert_clean()


def test_every_kind_of_objective_stands_somewhere(service: Service) -> None:
    kinds = [
        {"name": "bursts", "metric": "peak_tps", "at_least": 10},
        {"name": "good", "transaction": "orders", "target": "99%"},
        {"name": "quick", "transaction": "orders", "target": "90%", "under": "100ms"},
        {"name": "busy", "transaction": "orders", "target": "90%", "at_least": 0.01},
    ]
    settings = Settings.model_validate({"objectives": kinds, "transactions": TRANSACTIONS})
    web = Web(store=service.store, settings=settings, clock=service.clock)
    found = {one.objective.name: one for one in standings(web)}
    assert found["bursts"].value >= 1
    assert (found["bursts"].found.kept, found["bursts"].burns) == (None, ())
    counts = read_counts(
        service.store, settings.transactions[0].definition, service.filled.start, service.filled.end, 3600
    ).sum(numeric_only=True)
    assert found["good"].value == pytest.approx(1 - counts["good"] / counts["known"])
    assert found["quick"].value == pytest.approx(1 - counts["good_under_100ms"] / counts["timed"])
    assert {name: len(one.burns) for name, one in found.items()} == {"bursts": 0, "good": 3, "quick": 3, "busy": 3}
    assert all(load_objectives(web, {"objective": name}, Look()).objective == found[name] for name in ("good", "quick"))
    web.close()


def test_the_pipeline_shows_what_came_in_and_what_was_left_out(browser: Browser, service: Service) -> None:
    held = {one.name: one for one in health.table_sizes(service.store)}
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/pipeline?last=1h")
        body = page.locator("#pipeline-body")
        expect(body.locator("tbody tr", has_text="not_json").first).to_contain_text("3")
        expect(body).to_contain_text("no JSON, text of 1 bytes kept")
        expect(body.locator("tbody tr", has_text="tenant_1m")).to_contain_text(f"{held['tenant_1m'].rows:,}")
        expect(body.locator("tbody tr", has_text="detection")).to_contain_text("10 s")
        end = service.filled.end
        asked = SeriesRequest(metric="tps", start=end - timedelta(hours=1), end=end, step_s=60, selector=ALL_CALLS)
        written = saved(page, body.locator(".card").get_by_role("button", name="CSV")).iloc[:, 1].dropna().tolist()
        stored = series.read_series(service.store, asked)["value"].tolist()
        assert written[-50:] == pytest.approx(stored[-50:], abs=1e-6)
        shown.assert_clean()


def test_each_window_is_kept_and_each_page_gives_a_file(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        for path in WINDOWED:
            page = opened(shown, service.address + ROWS[path].address)
            page.get_by_role("link", name="24 h", exact=True).dispatch_event("click")
            page.wait_for_url(f"**{path}?*last=24h*")
            expect(page.locator(".segment.open")).to_have_text("24 h")
            expect(page.locator(".heading")).to_contain_text("24 h")
            page.wait_for_function(READY, timeout=40_000)
            assert len(saved(page, page.locator("[data-csv], a[href*='csv'], a[href*='/files/']").first)) > 0, path
        shown.assert_clean()


def test_an_earlier_time_is_drawn_beside_this_one(browser: Browser, service: Service) -> None:
    end = service.filled.end - timedelta(days=1)
    request = SeriesRequest(metric="tps", start=end - timedelta(hours=1), end=end, step_s=60, selector=ALL_CALLS)
    stored = series.read_series(service.store, request)["value"].tolist()
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h&compare=1d")
        drawn = chart(page, "tps")
        assert {"observed", "busiest second", "the day before", "incident"} <= set(drawn)
        assert [value for value in drawn["the day before"] if value in stored][:50]
        expect(page.locator(".filter", has_text="compare with")).to_contain_text("the day before")
        with page.expect_download() as download:
            page.locator(".card", has_text="Transactions per second").get_by_role("button", name="CSV").click()
        table = pd.read_csv(io.BytesIO(download.value.path().read_bytes()), comment="#")
        assert table["observed"].dropna().tolist()[-60:] == pytest.approx(chart(page, "tps")["observed"][-60:], abs=1e-6)
        page.get_by_role("button", name=f"Time: {ZONE}").click()
        expect(page.locator("#overview-span")).to_contain_text("time zone UTC")
        shown.assert_clean()


def test_people_act_from_the_page_and_it_is_noted(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/incidents?incident=i-slow")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_role("dialog")).to_contain_text("It is not repeated any more")
        page.get_by_role("button", name="Do it").click()
        expect(page.locator("#act-said")).to_have_text("Noted: acknowledge.")
        said = read_actions(service.store, service.filled.start)
        assert [(one.incident_id, one.action) for one in said] == [("i-slow", Action.ACKNOWLEDGE)]
        assert [event.action for event in read_audit(service.store, 1)] == ["POST /api/v1/incidents/{incident_id}/actions"]

        page.locator("#incidents-anomalies").get_by_role("link", name="Error rate of provider openai").click()
        page.wait_for_url("**/incidents?anomaly=a-outage")
        page.get_by_role("button", name="Mark as expected").click()
        page.get_by_role("button", name="Do it").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
        page.get_by_label("Why").fill("A test of the provider")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#act-said")).to_have_text("Noted: mark as expected.")
        mask = read_masks(service.store)[0]
        assert (mask.anomaly_id, mask.why, mask.who) == ("a-outage", "A test of the provider", "local")
        expect(page.locator("#incident-detail")).to_contain_text("Marked as expected")
        shown.assert_clean()


def test_bands_objectives_and_anomalies_are_on_the_charts(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=6h")
        latency = chart(page, "latency")
        assert {"expected range of P95", "P50", "P90", "P95", "P99", "anomaly"} <= set(latency)
        assert "fast, P99 (at most 2,500 ms)" in latency
        assert len(latency["P95"]) == len(latency["expected range of P95"])
        assert chart(page, "errors")["few errors (at most 5 %)"] == [5, 5]
        expect(page.locator(".banner")).to_contain_text("Critical")
        expect(page.locator("#overview-anomalies")).to_contain_text("Anomalies (2)")
        shown.assert_clean()


def test_a_window_and_a_filter_are_in_the_address(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/")
        page.get_by_role("link", name="24 h").click()
        page.wait_for_url("**/?last=24h")
        expect(page.locator(".segment.open")).to_have_text("24 h")
        page.locator(".filter", has_text="provider").locator(".dash-dropdown").click()
        page.get_by_text("mistral", exact=True).click()
        page.wait_for_url("**/?last=24h&provider=mistral")
        expect(page.locator(".tile", has_text="Latency").locator(".verdict")).to_contain_text("no expected range")
        page.go_back()
        page.wait_for_url("**/?last=24h")
        expect(page.locator(".filter", has_text="provider")).to_contain_text("all providers")
        shown.assert_clean()


def test_a_shared_address_opens_the_same_view(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h&provider=openai")
        expect(page.locator(".segment.open")).to_have_text("1 h")
        expect(page.locator(".filter", has_text="provider")).to_contain_text("openai")
        assert max(value for value in chart(page, "tps")["observed"] if value is not None) < 0.5
        shown.assert_clean()


def test_dragging_over_a_chart_narrows_the_window_of_all(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=6h&provider=openai")
        box = page.locator(".js-plotly-plot").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 120)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 125, steps=4)
        page.mouse.up()
        page.wait_for_url("**/?from=*&to=*&provider=openai")
        expect(page.locator(".segment.open")).to_have_count(0)
        shown.assert_clean()


def test_a_live_refresh_keeps_the_charts_and_what_is_hidden(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h")
        page.get_by_role("button", name="P99", exact=True).click()
        expect(page.locator(".legend-item.off")).to_have_text("P99")
        page.evaluate("document.querySelectorAll('.js-plotly-plot').forEach(plot => { plot.seen = true; })")
        before = page.locator("#overview-span").inner_text()
        service.clock.advance(timedelta(seconds=7))
        page.evaluate("window.dash_clientside.set_props('tick', {n_intervals: 1000})")
        expect(page.locator("#overview-span")).not_to_have_text(before)
        assert page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.seen)")
        expect(page.locator(".legend-item.off")).to_have_text("P99")
        shown.assert_clean()


def test_the_theme_is_chosen_and_remembered(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h")
        page.get_by_role("button", name="Theme: auto").click()
        page.get_by_role("button", name="Theme: light").click()
        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        page.wait_for_function("() => document.querySelector('.js-plotly-plot').layout.font.color === '#e6eaf1'")
        page.reload()
        page.wait_for_function(READY)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        shown.assert_clean()


def test_pages_lead_to_one_another_without_a_reload(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/?last=1h")
        page.evaluate("window.stayed = true")
        page.get_by_role("link", name="Forecast").click()
        expect(page.get_by_role("heading", name="Capacity forecast")).to_be_visible()
        page.get_by_role("link", name="Incidents", exact=True).click()
        expect(page.locator(".incident-title")).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        page.locator("#overview-notes").get_by_role("link", name="Open", exact=True).click()
        page.wait_for_url("**/incidents?incident=i-slow")
        expect(page.locator(".incident-title")).to_have_text(service.filled.firing.title)
        assert page.evaluate("window.stayed") is True
        shown.assert_clean()


def test_the_forecast_says_where_it_comes_from_and_is_taken_away(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/forecast")
        expect(page.locator("#forecast-title")).to_have_text("Transactions per second of all traffic (calls/s)")
        expect(page.locator("#forecast-facts")).to_contain_text("28 % better than repeating last week")
        expect(page.locator("#forecast-facts")).to_contain_text("seasonal regression")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        table = pd.read_csv(io.BytesIO(download.value.path().read_bytes()), comment="#")
        found = read_forecast(service.store, "tps", ALL_CALLS)
        assert found is not None
        assert table["mean"].tolist() == pytest.approx(found[1]["mean"].tolist(), rel=1e-4)
        assert len(table) == 28 * 24
        assert table["metric"].unique().tolist() == ["tps"]

        page.locator(".filter", has_text="selection").locator(".dash-dropdown").click()
        page.get_by_text("service chat", exact=True).click()
        page.wait_for_url("**/forecast?*selector=service*")
        expect(page.locator("#forecast-title")).to_have_text("Transactions per second of service chat (calls/s)")
        shown.assert_clean()


def test_an_incident_is_explained(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = opened(shown, service.address + "/incidents?incident=i-outage")
        expect(page.locator(".incident-title")).to_have_text("Calls to provider openai fail")
        detail = page.locator("#incident-detail")
        expect(detail).to_contain_text("44 % of the calls to provider openai failed")
        expect(detail.locator("tbody tr").first).to_contain_text("0 to 3.1 %")
        expect(detail).to_contain_text("✓ delivered")
        page.locator(".entry", has_text="far above").click()
        page.wait_for_url("**/incidents?incident=i-slow")
        expect(detail).to_contain_text("✕ failed")
        assert "hooks.example.com" not in page.content()
        shown.assert_clean()


def test_what_cannot_be_shown_is_said_in_words(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = shown.open(service.address + "/?last=banana")
        expect(page.locator("#overview-notes")).to_contain_text("last: 'banana' is no duration")
        page = shown.open(service.address + "/?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")
        expect(page.locator(".veil").first).to_have_text("No calls in this window.")
        page.get_by_role("link", name="Show them").click()
        page.wait_for_function(READY)
        page = shown.open(service.address + "/incidents?incident=nobody")
        expect(page.locator("#incident-detail")).to_contain_text("no incident of this name")
        page = shown.open(service.address + "/forecast?metric=tps&selector=service%3D%22nobody%22")
        expect(page.locator("#forecast-words")).to_contain_text("no forecast of Transactions per second for service nobody")
        shown.assert_clean()


CHARTS_DRAWN = """names => names.every(name => {
    const card = [...document.querySelectorAll('.dash-graph')].find(one => one.id.includes('"chart":"' + name + '"'));
    return card && ((card.querySelector('.js-plotly-plot') || {}).data || []).length > 0;
})"""


def drawn(shown: BrowserPage, address: str, *names: str) -> Page:
    """Go there and wait until these charts are drawn."""
    page = shown.open(address)
    page.wait_for_function(CHARTS_DRAWN, arg=list(names), timeout=40_000)
    return page


def saved(page: Page, link: Any) -> pd.DataFrame:
    with page.expect_download() as download:
        link.click()
    return pd.read_csv(io.BytesIO(download.value.path().read_bytes()), comment="#", low_memory=False)


def test_explore_leads_from_a_metric_to_one_call(browser: Browser, service: Service) -> None:
    end = service.filled.end
    start = end - timedelta(hours=1)
    panel = series.read_panel(service.store, start, end, 60, ("provider",), ("tps",))
    calls = panel.groupby("provider")["calls"].sum()
    with BrowserPage(browser, timeout_s=40) as shown:
        page = drawn(
            shown, service.address + "/explore?last=1h&by=provider&compare=1d", "lines", "week", "distribution", "curves"
        )
        lines = chart(page, "lines")
        known = [value for value in lines["openai"] if value is not None]
        assert sum(known) * 60 == pytest.approx(calls["openai"], rel=1e-3)
        assert {"(none)", "openai", "anthropic", "mistral", "all of these, the day before"} == set(lines)
        row = page.locator("#explore-table tbody tr", has_text="anthropic")
        expect(row.locator("td").nth(1)).to_have_text(f"{calls['anthropic']:,}")
        shown.screenshot(SCREENSHOTS / f"explore-{DESKTOP}-light.png")
        assert serious_barriers(page) == []
        table = saved(page, page.locator("#explore-table").get_by_role("link", name="CSV"))
        assert table.set_index("provider")["calls"]["mistral"] == calls["mistral"]
        points = saved(page, page.locator(".card", has_text="per second by provider").get_by_role("link", name="CSV"))
        assert points.loc[points["series"] == "openai", "tps"].sum() * 60 == pytest.approx(calls["openai"])

        # a line that is clicked, then a row of the table, then its calls, then one of them
        page.evaluate("""() => {
            const plot = [...document.querySelectorAll('.dash-graph')]
                .find(one => one.id.includes('"chart":"lines"')).querySelector('.js-plotly-plot');
            const number = plot.data.findIndex(trace => trace.name === 'openai');
            plot.emit('plotly_click', {points: [{curveNumber: number, pointNumber: 3, data: plot.data[number], x: 0, y: 0}]});
        }""")
        page.wait_for_url("**/explore?*provider=openai*by=model*")
        filters = page.locator(".filter", has_text="provider")  # a moment longer also "split by provider"
        expect(filters.first).to_contain_text("openai")
        page.locator("#explore-table").get_by_role("link", name="gpt-4o-mini").click()
        page.wait_for_url("**/explore?*model=gpt-4o-mini*")
        expect(page.locator("#explore-table")).to_contain_text("Top 5 by account")
        page.locator("#explore-table").get_by_role("link", name="Single calls").click()
        page.wait_for_url("**/calls?last=1h&model=gpt-4o-mini&provider=openai")
        rows = page.locator("#calls-list tbody tr")
        expect(rows.first).to_contain_text("gpt-4o-mini")
        shown.screenshot(SCREENSHOTS / f"calls-{DESKTOP}-light.png")
        assert serious_barriers(page) == []
        first = rows.first.get_by_role("link").inner_text()
        rows.first.get_by_role("link").click()
        page.wait_for_url("**/call?id=*")
        expect(page.locator("#call-body")).to_contain_text(first)
        expect(page.locator("#call-body")).to_contain_text("team-")
        shown.screenshot(SCREENSHOTS / f"call-{DESKTOP}-light.png")
        shown.assert_clean()


def test_single_calls_are_searched_and_paged(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, width=PHONE, timeout_s=40) as shown:
        page = shown.open(service.address + "/calls?last=24h&sort=slowest")
        rows = page.locator("#calls-list tbody tr")
        expect(rows).to_have_count(50)
        day = CallQuestion(start=service.filled.now - timedelta(days=1), end=service.filled.now)
        expect(rows.first).to_contain_text(read_slowest_page(service.store, day, 1)["request_id"][0].as_py())
        slowest = rows.first.locator("td").nth(5).inner_text()
        page.locator("#calls-next").dispatch_event("click")  # the live list may be laid out anew under a pointer
        page.wait_for_url("**/calls?*after=*")
        expect(rows.first.locator("td").nth(5)).not_to_have_text(slowest)
        page.get_by_role("link", name="First page").click()
        expect(rows.first.locator("td").nth(5)).to_have_text(slowest)
        wanted = rows.first.get_by_role("link").inner_text()
        page.get_by_label("request id").fill(wanted)
        page.get_by_label("request id").press("Enter")
        page.wait_for_url(f"**/calls?*request_id={wanted}*")
        expect(rows).to_have_count(1)
        expect(rows.first.locator("td").nth(5)).to_have_text(slowest)
        page.goto(service.address + "/calls?id=x&after=nonsense")
        expect(page.locator("#calls-list")).to_contain_text("after: names no call")
        shown.assert_clean()


def test_llm_figures_are_the_stores(browser: Browser, service: Service) -> None:
    end = service.filled.end
    metrics = ("tokens_per_s", "cost_per_h", "ttft_p95")
    panel = series.read_panel(service.store, end - timedelta(hours=1), end, 60, ("provider", "model"), metrics)
    mine = panel[panel["model"] == "gpt-4o"]
    with BrowserPage(browser, timeout_s=40) as shown:
        page = drawn(shown, service.address + "/llm?last=1h", "tps", "ttft", "tokens", "per_calls", "shares", "versions")
        assert sum(v for v in chart(page, "tps")["openai/gpt-4o"] if v is not None) * 60 == pytest.approx(
            mine["calls"].sum(), 1e-3
        )
        assert {"P50", "P90", "P95", "P99"} == set(chart(page, "ttft"))
        shown.screenshot(SCREENSHOTS / f"llm-{DESKTOP}-light.png")
        assert serious_barriers(page) == []
        models = saved(page, page.locator("#llm-models").get_by_role("link", name="CSV")).set_index("model")
        cost = (mine["cost_per_h"] / 60).sum()
        assert models["cost_usd"]["gpt-4o"] == pytest.approx(cost)
        assert models["usd_per_1000_calls"]["gpt-4o"] == pytest.approx(1000 * cost / mine["calls"].sum())
        assert models["tokens_per_s"]["gpt-4o"] == pytest.approx((mine["tokens_per_s"] * 60).sum() / 3600, rel=1e-3)
        expect(page.locator("#llm-versions")).to_contain_text("openai/gpt-4o-mini")
        page.locator("#llm-models").get_by_role("link", name="mistral", exact=True).first.click()
        page.wait_for_url("**/explore?last=1h&provider=mistral&by=model")
        shown.assert_clean()


WHAT_IF = "/what-if?last=24h&service=assist&moved=openai&to_provider=anthropic&share=50"


def written(page: Page, place: str) -> list[list[str]]:
    """The cells of a table, as the reader sees them."""
    script = """place => [...document.querySelectorAll(place + ' tbody tr')]
        .map(row => [...row.cells].map(cell => cell.innerText.trim()))"""
    rows: list[list[str]] = page.evaluate(script, place)
    return rows


def test_a_what_if_is_asked_for_and_its_answer_is_what_the_command_finds(browser: Browser, service: Service) -> None:
    scenario = read_scenario(dict(parse_qsl(urlsplit(WHAT_IF).query)))
    found = predictor_of(service.store)(scenario, service.clock.now(), unheard)
    assert found.metrics
    with BrowserPage(browser, timeout_s=40) as shown:
        page = shown.open(service.address + WHAT_IF)
        expect(page.locator("#what-if-body pre")).to_have_text(scenario_yaml(scenario))
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(page.get_by_role("heading", name="What it would have brought")).to_be_visible()
        rows = written(page, "#what-if-body")
        assert [row[:4] for row in rows] == [
            [one.title, format_value(one.before, one.unit), format_value(one.after, one.unit),
             format_range(one.lower, one.upper, one.unit)]
            for one in found.metrics
        ]  # fmt: skip
        for line in (*found.effects, *found.assumptions):
            expect(page.locator("#what-if-body li", has_text=line)).to_be_visible()
        looks_right(shown, "what-if")
        page.locator("label.filter", has_text="for how long").locator("input").fill("1h")
        page.keyboard.press("Enter")
        page.wait_for_url("**/what-if?*cache=1h*")
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(page.get_by_role("heading", name="These calls cannot tell")).to_be_visible()
        expect(page.locator("#what-if-body")).to_contain_text("is known of 0% of the calls")
        shown.assert_clean()
    events = [one.action for one in read_audit(service.store, 5)]
    assert events.count("POST /api/v1/what-if") == 2


def looks_right(shown: BrowserPage, name: str) -> None:
    """On a desk in the light and on a phone in the dark: nothing scrolls sideways, nothing keeps somebody out."""
    ways: tuple[tuple[int, Mode], ...] = ((DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark"))
    for width, mode in ways:
        shown.page.set_viewport_size({"width": width, "height": 900})
        shown.page.emulate_media(color_scheme=mode, reduced_motion="reduce")
        dark = str(mode == "dark").lower()
        ground = "getComputedStyle(document.body).backgroundColor === 'rgb(14, 19, 26)'"
        shown.page.wait_for_function(f"() => ({ground}) === {dark}")
        shown.screenshot(SCREENSHOTS / f"{name}-{width}-{mode}.png")
        wider = shown.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, "the page scrolls sideways"
    assert serious_barriers(shown.page) == []
    shown.page.set_viewport_size({"width": DESKTOP, "height": 900})


def recommended(service: Service, name: str, gain: float, **more: Any) -> Recommendation:
    effect = Effect(
        measure="mean_latency",
        scope=Selector.of(service="assist"),
        unit="ms",
        before=700.0,
        after=520.0,
        lower=500.0,
        upper=541.0,
    )
    finding = Finding(
        rule="faster_provider", selector=Selector.of(service="assist"), about=name, action=f"Let {name} answer.",
        evidence=("openai answers 50% of the calls",), effect=effect, gain=gain, gain_of="waiting", confidence=0.89,
        verify="latency_p95 should fall", **more,
    )  # fmt: skip
    end = service.filled.end
    return Recommendation(
        id=name, finding=finding, start=end - timedelta(days=1), end=end, found_at=end, state=RecommendationState.OPEN
    )


def test_recommendations_are_ranked_decided_and_lead_to_their_replay(browser: Browser, service: Service) -> None:
    with BrowserPage(browser, timeout_s=40) as shown:
        page = shown.open(service.address + "/recommendations")
        expect(page.locator("#recommendations-body")).to_contain_text("have not been looked at yet")
        scenario = read_scenario(dict(parse_qsl(urlsplit(WHAT_IF).query)))
        measured = Outcome(checked_at=service.filled.end, calls=1234, measured=531.0, verdict=Verdict.KEPT)
        done = recommended(service, "done", 0.05).decided(RecommendationState.ACCEPTED, "ada", "", service.filled.end)
        kept = orjson.dumps(scenario_json(scenario)).decode()
        write_recommendations(
            service.store,
            [
                recommended(service, "small", 0.02),
                recommended(service, "large", 0.3, scenario=kept),
                replace(done, outcome=measured),
            ],
        )
        page.reload()
        titles = page.locator("#recommendations-body h2")
        expect(titles).to_have_text(["1. Let large answer.", "2. Let done answer.", "3. Let small answer."])
        large = page.locator("#recommendation-large")
        for words in ("30.0% of waiting", "700 ms → 520 ms (90 %: 500 to 541 ms)", "89%", "To verify: latency_p95 should fall"):
            expect(large).to_contain_text(words)
        expect(page.locator("#recommendation-done")).to_contain_text("✓ the prediction was kept; 531 ms over 1,234 calls since")
        looks_right(shown, "recommendations")
        large.get_by_role("button", name="Accept").click()
        page.get_by_role("button", name="Do it").click()
        expect(large).to_contain_text("✓ accepted")
        page.locator("#recommendation-small").get_by_role("button", name="Dismiss").click()
        page.get_by_label("Why").fill("too small")
        page.get_by_role("button", name="Do it").click()
        expect(page.locator("#recommendation-small")).to_have_count(0)
        states = {one.id: (one.state, one.who, one.why) for one in read_recommendations(service.store)}
        assert states["large"] == (RecommendationState.ACCEPTED, "local", "")
        assert states["small"] == (RecommendationState.DISMISSED, "local", "too small")
        shown.open(service.address + "/recommendations?state=dismissed")
        expect(page.locator("#recommendations-body h2")).to_have_text(["1. Let small answer."])
        expect(page.locator("#recommendations-body")).to_contain_text("too small")
        shown.open(service.address + "/recommendations?state=accepted")
        page.locator("#recommendation-large").get_by_role("link", name="Replay this").click()
        page.wait_for_url("**/what-if?*")
        expect(page.locator("#what-if-body pre")).to_contain_text("to:\n    provider: anthropic")
        shown.assert_clean()


def test_names_and_notes_of_attackers_stay_text(browser: Browser, service: Service) -> None:
    """The last test of this store: it leaves calls, an incident, a silence, a mask and a change with such names behind."""
    at = service.filled.start + timedelta(days=2)
    hostile.sow(service.store, service.filled, at)
    span = f"from={quote(iso(at))}&to={quote(iso(at + timedelta(minutes=15)))}"
    addresses = (
        f"/?{span}&service={quote(hostile.TEXT)}",
        f"/explore?{span}&by=route&service={quote(hostile.TEXT)}",
        f"/llm?{span}",
        f"/incidents?{span}&incident={hostile.INCIDENT}",
        f"/calls?{span}&service={quote(hostile.TEXT)}",
    )
    with BrowserPage(browser, timeout_s=40) as shown:
        for address in addresses:
            page = shown.open(service.address + address)
            expect(page.locator("#page")).to_contain_text("<img src=x")
            assert page.evaluate("window.hacked") is None, address
            # links carry the name in what they ask for, and lead nowhere else
            assert page.evaluate("[...document.links].every(one => one.host === location.host)"), address
            assert page.locator("svg a").count() == 0, address
            assert page.locator("img[src='x']").count() == 0, address
        expect(page.locator("#calls-list tbody tr").first).to_contain_text("<img src=x")
        shown.assert_clean()
