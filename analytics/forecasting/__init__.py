"""Forecasts of regular series: candidates, their back-test, calibrated quantiles (see `engine`)."""

from analytics.forecasting.engine import Choice, Forecast, NothingKnown, choose, forecast
from analytics.forecasting.occasions import Occasion
from analytics.forecasting.season import HOURLY, Season

__all__ = ["HOURLY", "Choice", "Forecast", "NothingKnown", "Occasion", "Season", "choose", "forecast"]
