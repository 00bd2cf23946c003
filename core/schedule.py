"""How often each job of the service runs, by its name: for what starts them, and for the page that tells when they are due."""

from datetime import timedelta

from core.config import Settings


def intervals(settings: Settings) -> dict[str, timedelta]:
    """The jobs that these settings ask for, with their intervals; scheduled exports go by their own."""
    found = {"hours": timedelta(minutes=5), "alerts": timedelta(seconds=5), "capacity": timedelta(minutes=5)}
    if settings.transactions:
        found["transactions"] = timedelta(seconds=15)
    if settings.changes.enabled:
        found["changes"] = timedelta(minutes=1)
    if settings.detection.enabled:
        found["baselines"] = settings.detection.rebuild_every
        # Every 10 s although it judges whole minutes: a minute is then judged soon after its data has arrived.
        found["detection"] = timedelta(seconds=10)
        found["rescoring"] = timedelta(minutes=5)
        found["samples"] = timedelta(minutes=1)
    if settings.forecast.enabled:
        found["forecasts"] = settings.forecast.every
    if settings.reviews.enabled:
        found["reviews"] = timedelta(minutes=10)
    if settings.recommendations.enabled:
        found["recommendations"] = settings.recommendations.every
    return found
