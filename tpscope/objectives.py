"""What `tpscope objectives` does: where objectives stand, which ones history suggests, and those of OpenSLO files."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from analytics.objectives import BURN_WINDOWS, PERIOD, Budget, budget_of, suggested_latency, suggested_share
from core.config import ObjectiveSettings, Settings
from core.errors import ConfigError
from core.openslo import read_openslo
from core.series import METRICS, Selector
from render.units import format_number, format_span, format_value
from storage.contract import Store
from storage.series import latest_minute
from storage.spans import read_spans
from tpscope.options import print_json
from tpscope.reading import reading

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_SUGGESTED_FROM = 28
_LEAST_CALLS = 1000
_MOST_SERVICES = 10


def run_list(settings: Settings, *, as_json: bool) -> int:
    """Every objective with its value over the period; exit code 1 where one is not kept."""
    with reading(settings) as store:
        found = [_standing(store, one, _end(store)) for one in settings.objectives]
    if as_json:
        print_json(found)
    elif not found:
        _print("no objective is configured; `tpscope objectives suggest` proposes some from your history")
    for one in found if not as_json else ():
        _print(_line(one))
    return 1 if any(one["kept"] is False for one in found) else 0


def run_show(settings: Settings, name: str, *, as_json: bool) -> int:
    """One objective with its error budget and burn rates; exit code 1 where it is not kept."""
    chosen = next((one for one in settings.objectives if one.name == name), None)
    if chosen is None:
        known = ", ".join(one.name for one in settings.objectives) or "none is configured"
        raise ConfigError("objectives show", f"there is no objective {name!r}; known: {known}")
    with reading(settings) as store:
        found = _standing(store, chosen, _end(store))
    if as_json:
        print_json(found)
        return 1 if found["kept"] is False else 0
    _print(_line(found))
    if found["budget_left"] is not None:
        burns = ", ".join(
            f"{format_number(rate)} over {span}" for span, rate in found["burn_rates"].items() if rate is not None
        )
        _print(f"error budget of {format_span(PERIOD)}: {found['budget_left']:.0%} left; burn rates: {burns or 'unknown'}")
    if found["exhausted_in_s"] is not None:
        _print(f"as in the last hour the rest is used up in {format_span(timedelta(seconds=found['exhausted_in_s']))}")
    return 1 if found["kept"] is False else 0


def run_suggest(settings: Settings, *, as_json: bool) -> int:
    """Print objectives for the busiest services that the last four weeks would have kept, as configuration."""
    with reading(settings) as store:
        found = _suggestions(store, _end(store))
    if found or as_json:
        _print_configuration(found, as_json=as_json)
    else:
        _print(f"nothing to suggest: no service has {_LEAST_CALLS:,} calls")
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


def _standing(store: Store, one: ObjectiveSettings, end: datetime) -> dict[str, Any]:
    spans = [(end - length, end) for length in (PERIOD, *BURN_WINDOWS)]
    frame = read_spans(store, one.metric, spans, Selector.of(one.selector))
    values = dict(zip(frame["span"].tolist(), frame["value"].tolist(), strict=True))
    calls = dict(zip(frame["span"].tolist(), frame["calls"].tolist(), strict=True))
    whole, *windows = (float(values.get(number, math.nan)) for number in range(len(spans)))
    budget = _budget(one, whole, windows)
    return {
        "name": one.name,
        "metric": one.metric,
        "selector": one.selector,
        "at_most": one.at_most,
        "at_least": one.at_least,
        "value": _known(whole),
        "calls": int(calls.get(0, 0)),
        "kept": _kept(one, whole),
        "budget_left": budget and _known(budget.left),
        "burn_rates": {format_span(w): _known(rate) for w, rate in zip(BURN_WINDOWS, budget.burns, strict=True)}
        if budget
        else {},
        "exhausted_in_s": budget.exhausted.total_seconds() if budget and budget.exhausted else None,
    }


def _budget(one: ObjectiveSettings, whole: float, windows: list[float]) -> Budget | None:
    if METRICS[one.metric].unit != "1" or not one.at_most or math.isnan(whole):
        return None
    return budget_of(one.at_most, whole, windows)


def _kept(one: ObjectiveSettings, value: float) -> bool | None:
    """None where it cannot be told: nothing is known, or a rate that should be reached was never asked for."""
    if math.isnan(value) or one.at_most is None:
        return None
    return value <= one.at_most


def _suggestions(store: Store, end: datetime) -> list[dict[str, Any]]:
    days = [(end - (day + 1) * _DAY, end - day * _DAY) for day in range(_SUGGESTED_FROM)]
    errors = read_spans(store, "error_rate", [(end - _SUGGESTED_FROM * _DAY, end)], by=("service",))
    busiest = errors[errors["calls"] >= _LEAST_CALLS].sort_values("calls", ascending=False).head(_MOST_SERVICES)
    latency = read_spans(store, "latency_p99", days, by=("service",))
    found: list[dict[str, Any]] = []
    for row in busiest.to_dict("records"):
        service = str(row["service"])
        daily = latency.loc[latency["service"] == service, "value"].tolist()
        for metric, limit, was in (
            ("error_rate", suggested_share(float(row["value"])), format_value(float(row["value"]), "1")),
            ("latency_p99", suggested_latency(daily), f"up to {format_value(max(daily, default=math.nan), 'ms')} a day"),
        ):
            if limit is not None:
                why = f"the last {_SUGGESTED_FROM} days: {was}, {format_number(float(row['calls']))} calls"
                name = f"{service or 'unnamed'}-{metric}"
                found.append(
                    {"name": name, "metric": metric, "selector": {"service": service}, "at_most": limit, "description": why}
                )
    return found


def _line(found: dict[str, Any]) -> str:
    unit, limit = METRICS[found["metric"]].unit, found["at_most"] if found["at_most"] is not None else found["at_least"]
    bound = "at most" if found["at_most"] is not None else "at least"
    value = "no data" if found["value"] is None else format_value(found["value"], unit)
    state = {True: "kept", False: "NOT kept", None: "-"}[found["kept"]]
    said = f"{found['metric']} of {Selector.of(found['selector']).words} {value} over {format_span(PERIOD)}"
    return f"{found['name']}: {state}; {said}, {bound} {format_value(limit, unit)}"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(line: str) -> None:
    Console(soft_wrap=True).print(line, highlight=False, markup=False)
