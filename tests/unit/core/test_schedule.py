from datetime import timedelta

from core.config import Settings
from core.schedule import intervals


def test_only_what_the_settings_ask_for_is_due() -> None:
    every = intervals(Settings())
    assert every["detection"] == timedelta(seconds=10)
    assert "transactions" not in every
    off = Settings.model_validate(
        {name: {"enabled": False} for name in ("detection", "forecast", "recommendations", "reviews")}
    )
    assert set(intervals(off)) == {"hours", "alerts", "capacity", "changes"}


def test_own_intervals_are_kept() -> None:
    settings = Settings.model_validate({"forecast": {"every": "3h"}, "transactions": [{"name": "orders"}]})
    assert intervals(settings)["forecasts"] == timedelta(hours=3)
    assert intervals(settings)["transactions"] == timedelta(seconds=15)
