"""`tpscope review`: a week or a month beside the one before, as a page, as JSON, and in few words."""

import math
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from analytics.review_shell import review
from core.config import Settings
from core.errors import ConfigError
from core.reviews import Compared, Review
from render.review_html import review_html
from render.review_words import review_words
from storage.series import latest_minute
from tpscope.options import print_json
from tpscope.reading import reading

_COMPARED = ("totals", "worse", "better", "slowest", "costliest")


def run_review(settings: Settings, kind: str, until: datetime | None, to: Path | None, *, as_json: bool) -> int:
    """Print the review in few words, or all of it as JSON; with `to` write the page."""
    if to is not None and to.suffix != ".html":
        raise ConfigError("--to", f"{to} must end in .html")
    with reading(settings) as store:
        newest = latest_minute(store)
        if newest is None:
            raise ConfigError("review", "the store holds no calls; import some, or run `tpscope serve` first")
        made = review(store, settings, kind, _midnight(until or newest + timedelta(minutes=1)))
    if to is not None:
        to.write_bytes(review_html(made))
    if as_json:
        print_json(review_json(made))
    else:
        Console(soft_wrap=True).print(review_words(made), highlight=False, markup=False)
    return 0


def review_json(made: Review) -> dict[str, Any]:
    """Every number of the review; unknown is null. `of` and `metric` with the span are the query that gives the same."""
    return {
        "kind": made.kind,
        "from": made.start.isoformat(),
        "to": made.end.isoformat(),
        "before_from": made.before.isoformat(),
        **{name: [_compared(one) for one in getattr(made, name)] for name in _COMPARED},
        "causes": list(made.causes),
        "objectives": [_known(asdict(one)) for one in made.objectives],
        "trends": [{**_known(asdict(one)), "of": one.selector.labels} for one in made.trends],
        "incidents": [{**_known(asdict(one)), "started_at": one.started_at.isoformat()} for one in made.incidents],
        "limits": [{"name": one.name, "words": one.words} for one in made.limits],
        "recommendations": [
            {"id": one.id, "state": str(one.state), "action": one.finding.action} for one in made.recommendations
        ],
        "days": [[day.isoformat(), value if math.isfinite(value) else None] for day, value in made.days],
    }


def _compared(one: Compared) -> dict[str, Any]:
    numbers = {"value": one.value, "before": one.before, "change": one.change}
    return {"metric": one.metric, "of": one.selector.labels, "calls": one.calls, **_known(numbers)}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name != "selector"}
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in kept.items()}


def _midnight(moment: datetime) -> datetime:
    """The last whole day's end (UTC)."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
