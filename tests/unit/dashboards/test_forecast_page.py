"""The forecast page: a link for every format, and the back-tests of the very series that is shown."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.series import ALL_CALLS
from core.types import ForecastBacktest, ForecastRun
from dashboards.forecast import ForecastData
from dashboards.pages.forecast import about, exports
from render.forecast_export import FORMATS

MADE = datetime(2026, 3, 2, tzinfo=UTC)
RUN = ForecastRun(
    version="v", made_at=MADE, selector=ALL_CALLS, metric="tps", unit="calls/s", model="m", step="1h",
    trained_from=MADE - timedelta(days=28), trained_to=MADE, error_mase=0.8,
)  # fmt: skip
TEST = ForecastBacktest(
    version="b", made_at=MADE, metric="tps", selector=ALL_CALLS, horizon_h=168, origins=4,
    history_from=MADE - timedelta(days=90), history_to=MADE, mase=0.734, wql=0.1, wql95=0.05, coverage90=0.91,
    mean4_mase=float("nan"),
)  # fmt: skip


def shown(*tests: ForecastBacktest) -> ForecastData:
    return ForecastData(
        metrics=("tps",), selectors=(ALL_CALLS,), metric="tps", selector=ALL_CALLS, run=RUN, figure=None, legend=(), summary=(),
        words="", backtests=tests,
    )  # fmt: skip


def test_every_format_can_be_taken_away() -> None:
    links = str(exports(shown()))
    assert all(f"format={fmt}" in links for fmt in FORMATS)


def test_the_back_tested_error_stands_beside_the_forecast() -> None:
    text = str(about(shown(TEST), ZoneInfo("UTC")))
    assert "0.73" in text
    assert "91%" in text
    assert "7 d" in text
    assert "unknown" in text  # the mean of four weeks, of which there were fewer


def test_without_a_back_test_the_page_says_how_to_make_one() -> None:
    assert "tpscope backtest forecast" in str(about(shown(), ZoneInfo("UTC")))
