"""What `tpscope objectives` does: where objectives stand, which ones history suggests, and those of OpenSLO files."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from core.burning import BURN_WINDOWS
from core.config import Settings
from core.errors import ConfigError
from core.objective_words import good_words, measure_words, window_words
from core.openslo import read_openslo
from core.series import METRICS
from render.units import format_number, format_span, format_value
from storage.contract import Store
from storage.series import latest_minute
from storage.standing import Standing, read_standing
from tpscope.objective_suggestions import LEAST_CALLS, suggestions
from tpscope.options import print_json
from tpscope.reading import reading

_MINUTE = timedelta(minutes=1)


def run_list(settings: Settings, *, as_json: bool) -> int:
    """Every objective with its value over its window; exit code 1 where one is not kept."""
    with reading(settings) as store:
        end = _end(store) if settings.objectives else None
        found = [read_standing(store, settings, one, end) for one in settings.objectives] if end else []
    if as_json:
        print_json([_json(one) for one in found])
    elif not found:
        _print("no objective is configured; `tpscope objectives suggest` proposes some from your history")
    for one in found if not as_json else ():
        _print(_line(one))
    return 1 if any(one.kept is False for one in found) else 0


def run_show(settings: Settings, name: str, *, as_json: bool) -> int:
    """One objective with its error budget and burn rates; exit code 1 where it is not kept."""
    chosen = next((one for one in settings.objectives if one.name == name), None)
    if chosen is None:
        known = ", ".join(one.name for one in settings.objectives) or "none is configured"
        raise ConfigError("objectives show", f"there is no objective {name!r}; known: {known}")
    with reading(settings) as store:
        found = read_standing(store, settings, chosen, _end(store))
    if as_json:
        print_json(_json(found))
    else:
        for line in (_line(found), *_details(found)):
            _print(line)
    return 1 if found.kept is False else 0


def run_suggest(settings: Settings, *, as_json: bool) -> int:
    """Print objectives that the last four weeks would have kept, of transactions and the busiest services, as configuration."""
    with reading(settings) as store:
        found = suggestions(store, settings, _end(store))
    if found or as_json:
        _print_configuration(found, as_json=as_json)
    else:
        _print(f"nothing to suggest: no service and no transaction has {LEAST_CALLS:,} calls")
    return 0


def run_read(path: Path, *, as_json: bool) -> int:
    """Print the objectives of an OpenSLO file as configuration."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error})") from error
    found = [one.model_dump(exclude_defaults=True) for one in read_openslo(text, str(path))]
    _print_configuration(found, as_json=as_json)
    return 0


def _print_configuration(objectives: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(objectives)
    else:
        _print(yaml.safe_dump({"objectives": objectives}, sort_keys=False, allow_unicode=True).rstrip())


def _end(store: Store) -> datetime:
    newest = latest_minute(store)
    if newest is None:
        raise ConfigError("objectives", "the store holds no calls; import some, or run `tpscope serve` first")
    return newest + _MINUTE


def _json(found: Standing) -> dict[str, Any]:
    one, budget = found.objective, found.budget
    rates = zip(BURN_WINDOWS, budget.burns, strict=True) if budget else ()
    return {
        "name": one.name,
        "transaction": one.transaction or None,
        "transaction_version": found.version or None,
        "metric": one.metric_name,
        "selector": one.selector,
        "target": one.target,
        "under_ms": one.under_ms,
        "at_most": one.at_most,
        "at_least": one.at_least,
        "window": window_words(one),
        "from": found.window.start.isoformat(),
        "to": found.window.until.isoformat(),
        "ends": found.window.end.isoformat(),
        "counted_from": found.counted_from.isoformat() if found.counted_from else None,
        "value": _known(found.value),
        "calls": int(found.calls),
        "bad": _known(found.bad),
        "budget_calls": found.budget_calls,
        "low_traffic": found.low_traffic,
        "kept": found.kept,
        "budget_left": budget and _known(budget.left),
        "burn_rates": {format_span(window): _known(rate) for window, rate in rates},
        "exhausted_in_s": budget.exhausted.total_seconds() if budget and budget.exhausted else None,
    }


def _line(found: Standing) -> str:
    one = found.objective
    state = {True: "kept", False: "NOT kept", None: "-"}[found.kept]
    if one.target is not None:
        what = "minutes" if one.counts_minutes else "calls"
        said = f"{good_words(found.value)} of {found.calls:,.0f} {measure_words(one).replace(what, what, 1)}"
        return f"{one.name}: {state}; {said} over {window_words(one)}, target {good_words(1.0 - one.target)}"
    unit, limit = METRICS[one.metric].unit, one.at_most if one.at_most is not None else one.at_least or 0.0
    bound = "at most" if one.at_most is not None else "at least"
    value = "no data" if math.isnan(found.value) else format_value(found.value, unit)
    return f"{one.name}: {state}; {measure_words(one)} {value} over {window_words(one)}, {bound} {format_value(limit, unit)}"


def _details(found: Standing) -> list[str]:
    one, budget, lines = found.objective, found.budget, []
    if one.transaction:
        since = (
            f"; counted since {found.counted_from:%Y-%m-%d %H:%M} UTC, nothing is known before" if found.counted_from else ""
        )
        lines.append(f"transaction {one.transaction}, version {found.version}{since}")
    if budget is None:
        return lines
    allowed = found.budget_calls
    counted = f" ({found.bad:,.0f} bad of {format_number(allowed)} allowed)" if allowed is not None else ""
    rates = zip(BURN_WINDOWS, budget.burns, strict=True)
    burns = ", ".join(f"{format_number(rate)} over {format_span(span)}" for span, rate in rates if math.isfinite(rate))
    lines.append(
        f"error budget of {_whole(found)}: {budget.left:.0%} left{counted}; burn rates: {burns or 'unknown'}"
    )  # fmt: skip
    if budget.exhausted is not None:
        lines.append(f"as in the last hour the rest is used up in {format_span(budget.exhausted)}")
    if found.low_traffic:
        lines.append("too little traffic for this target: a single bad call is more than the whole budget")
    return lines


def _whole(found: Standing) -> str:
    if isinstance(found.objective.window, timedelta):
        return format_span(found.objective.window)
    return f"{window_words(found.objective)} ({found.window.elapsed:.0%} of it has passed)"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(line: str) -> None:
    Console(soft_wrap=True).print(line, highlight=False, markup=False)
