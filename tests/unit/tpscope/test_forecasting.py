"""`tpscope forecast`: any file is forecast or refused in one line; the engine's figures are written as they are."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.forecasting import forecast
from core.config import ForecastEvent, Settings
from core.errors import ConfigError
from core.types import QUANTILE_COLUMNS
from tests.unit.analytics.forecasting.builders import WEEK, weekly
from tpscope.forecasting import Beforehand, forecast_file, known_beforehand, run_forecast
from tpscope.series_files import SeriesFile

COLUMNS = ["timestamp", "mean", *QUANTILE_COLUMNS, "model"]
DAY = timedelta(days=1)


def series(path: Path, values: list[object], step: str = "h", zone: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = pd.date_range("2026-03-02", periods=len(values), freq=step).strftime(f"%Y-%m-%d %H:%M:%S{zone}")
    pd.DataFrame({"timestamp": times, "value": values}).to_csv(path, index=False)
    return path


def test_the_table_holds_what_the_engine_says_from_the_hour_after_the_last(tmp_path: Path) -> None:
    values = [float(round(value)) for value in weekly(6)]
    assert run_forecast(series(tmp_path / "a.csv", list(values)), 7 * DAY, tmp_path / "out", jobs=1, as_json=False) == 0
    table = pd.read_csv(tmp_path / "out/a.csv")
    assert list(table.columns) == COLUMNS
    assert table["timestamp"].iloc[[0, -1]].tolist() == ["2026-04-13T00:00:00", "2026-04-19T23:00:00"]
    start = int(pd.Timestamp("2026-03-02").timestamp()) // 3600
    np.testing.assert_allclose(table["q95"], forecast(np.array(values), WEEK, start=start).points["q95"], rtol=1e-8)


def test_a_folder_is_forecast_though_one_file_of_it_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series(tmp_path / "in/deep/a.csv.gz", list(weekly(3)), zone="Z")
    series(tmp_path / "in/b.csv", [None] * 5)
    assert run_forecast(tmp_path / "in", DAY, tmp_path / "out", jobs=1, as_json=True) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[0].endswith("b.csv: no value is known; nothing can be forecast")
    outcomes = {Path(one["file"]).name: one for one in json.loads(said.out)}
    assert (outcomes["a.csv.gz"]["points"], outcomes["a.csv.gz"]["step_s"]) == (24, 3600)
    assert outcomes["b.csv"]["problem"]
    assert pd.read_csv(tmp_path / "out/deep/a.csv")["timestamp"][0] == "2026-03-23T00:00:00Z"
    assert not (tmp_path / "out/b.csv").exists()


@pytest.mark.parametrize(
    ("values", "step", "points"),
    [
        ([1.0, 2.0, 4.0], "h", 48),
        ([5.0], "h", 48),
        ([7.0] * 500, "h", 48),
        ([0.0] * 500, "min", 2880),
        (["inf", "", "nan", 3.0, -1.0] * 60, "h", 48),
        (list(range(100)), "D", 2),
        (list(range(100)), "10s", 17_280),
        (list(range(60)), "7D", 1),
    ],
)
def test_odd_series_get_a_sensible_forecast(tmp_path: Path, values: list[object], step: str, points: int) -> None:
    path = series(tmp_path / "a.csv", values, step)
    outcome = forecast_file(SeriesFile(path=path, relative=Path("a.csv")), 2 * DAY, tmp_path)
    assert outcome.problem == ""
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == points
    assert np.isfinite(table[["mean", *QUANTILE_COLUMNS]].to_numpy()).all()


def test_a_horizon_beyond_what_is_known_is_answered_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_forecast(series(tmp_path / "a.csv", list(weekly(1))), 28 * DAY, tmp_path / "out", jobs=1, as_json=False)
    assert "7.0 days of history: how the days of the week differ cannot be known yet" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "out/a.csv")) == 672


def test_a_clock_that_goes_back_and_duplicates_change_nothing(tmp_path: Path) -> None:
    path = series(tmp_path / "a.csv", list(weekly(3)))
    rows = path.read_text().splitlines()
    mixed = [rows[0], *reversed(rows[1:]), *rows[5:9]]
    (tmp_path / "b.csv").write_text("\n".join(mixed))
    for name in ("a", "b"):
        forecast_file(SeriesFile(path=tmp_path / f"{name}.csv", relative=Path(f"{name}.csv")), DAY, tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out/a.csv"), pd.read_csv(tmp_path / "out/b.csv"))


def test_events_of_the_configuration_are_expected(tmp_path: Path) -> None:
    path = series(tmp_path / "a.csv", list(weekly(5, noise=0.01)))
    start = pd.Timestamp("2026-04-07T00:00Z").to_pydatetime()
    event = ForecastEvent(name="campaign", start=start, end=start + DAY, uplift=1.5)
    tables = []
    for events in ((), (event,)):
        forecast_file(SeriesFile(path=path, relative=Path("b.csv")), 3 * DAY, tmp_path, Beforehand(events=events))
        tables.append(pd.read_csv(tmp_path / "b.csv")["q50"].to_numpy().reshape(3, 24).mean(axis=1))
    np.testing.assert_allclose(tables[1] / tables[0], [1.0, 1.5, 1.0], rtol=1e-6)


@pytest.mark.parametrize(("step", "a_day"), [("h", 24), ("D", 1)])
def test_holidays_of_a_country_are_expected_to_be_much_like_past_ones(tmp_path: Path, step: str, a_day: int) -> None:
    """Monday 6 April 2026 is a holiday in Germany, as Friday the 3rd was; of weeks they say nothing."""
    values = 100.0 + np.arange(a_day * 35) % (7 * a_day)
    values[a_day * 32 : a_day * 33] *= 0.4  # the Friday, of a history from 2 March to 5 April
    path = series(tmp_path / "a.csv", list(values), step)
    tables = []
    for country in ("", "de-by"):
        known = known_beforehand(Settings(), country)
        forecast_file(SeriesFile(path=path, relative=Path("b.csv")), 2 * DAY, tmp_path, known)
        tables.append(pd.read_csv(tmp_path / "b.csv")["q50"].to_numpy().reshape(2, -1).mean(axis=1))
    monday, tuesday = tables[1] / tables[0]
    assert 0.4 <= monday < 0.6, "one day tells much of it"
    assert tuesday == pytest.approx(1.0, rel=0.05)


def test_that_holidays_are_not_known_is_said_where_there_may_be_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series(tmp_path / "a.csv", [100.0 + hour % 24 for hour in range(21 * 24)])  # from 2 March on
    series(tmp_path / "b.csv", [100.0 + day % 7 for day in range(280)], "D")  # until 6 December
    known = known_beforehand(Settings(), "DE")
    for days, country, said in ((14, None, False), (28, None, True), (28, known, False)):
        run_forecast(tmp_path, days * DAY, tmp_path / "out", jobs=1, as_json=False, known=country or Beforehand())
        assert ("--country DE" in capsys.readouterr().err) == said


def test_a_country_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"calendars\.0\.country"):
        known_beforehand(Settings(), "XX")


def test_a_row_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("timestamp,value\n2026-03-01,1\n2026-03-02,x\n")
    assert run_forecast(tmp_path, DAY, tmp_path / "out", jobs=1, as_json=False) == 2
    assert f"tpscope: {tmp_path / 'a.csv'}, line 3: value 'x' is no number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_read_is_never_overwritten(tmp_path: Path) -> None:
    series(tmp_path / "a.csv", [1.0, 2.0])
    with pytest.raises(ConfigError, match="overwrite"):
        run_forecast(tmp_path, DAY, tmp_path, jobs=1, as_json=False)


def test_no_horizon_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be longer than nothing"):
        run_forecast(tmp_path, timedelta(0), tmp_path, jobs=1, as_json=False)


STAMPS = st.integers(-1000, 100_000).map(lambda at: str(1_772_323_200 + at * 60))
VALUES = st.one_of(st.floats().map(str), st.sampled_from(["", "null", "NaN", "1e400"]))
READABLE = st.lists(st.tuples(STAMPS, VALUES), max_size=40)
ANY = st.lists(st.tuples(st.one_of(STAMPS, st.text(max_size=6)), st.one_of(VALUES, st.just("x"))), max_size=40)


@settings(deadline=None, max_examples=40)
@given(rows=st.one_of(READABLE, ANY))
def test_any_rows_give_a_finite_forecast_or_one_line(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = ["timestamp,value", *(",".join(row) for row in rows)]
    (folder / "a.csv").write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    outcome = forecast_file(SeriesFile(path=folder / "a.csv", relative=Path("a.csv")), timedelta(hours=1), folder / "out")
    if outcome.problem:
        assert "\n" not in outcome.problem
    else:
        table = pd.read_csv(folder / "out/a.csv")
        assert np.isfinite(table[["mean", *QUANTILE_COLUMNS]].to_numpy()).all()
        assert (np.diff(table[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= 0).all()
