"""The scenario that an address of the page asks for, and the address that asks for a scenario."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from core.durations import format_duration
from core.whatif import CacheChange, FallbackChange, MoveChange, RateLimitChange, WhatIf
from dashboards.selection import FILTERS, read_selector
from dashboards.window import iso, read_span, read_time

DEFAULT_LAST = "24h"
CHANGES = ("cache", "rate", "share", "order", "timeout")
"""Parameters each of which makes a change of its own."""

_LONGEST = 200
_ENTRIES, _BURST = "10000", "10"
_PARTS = {"caches": "cache", "rate_limits": "rate limit", "moves": "move", "fallbacks": "fallback"}


class BadScenario(ValueError):
    """The address asks for nothing that could be replayed; the message is one sentence."""


def read_scenario(query: Mapping[str, str]) -> WhatIf:
    """Raises BadScenario, and BadWindow for its time."""
    asked = {name: value.strip()[:_LONGEST] for name, value in query.items() if value.strip()}
    changes = {"rate_limits": _limits(asked), "caches": _caches(asked), "moves": _moves(asked), "fallbacks": _fallbacks(asked)}
    there = {kind: parts for kind, parts in changes.items() if parts}
    if not there:
        raise BadScenario("Choose a change: a cache, a rate limit, another provider or a fallback.")
    selector = read_selector({name: asked[name] for name in FILTERS if name in asked})
    try:
        return WhatIf.model_validate(
            {
                "name": _name(there),
                "window": _window(asked),
                **({"selector": selector.labels} if selector.pairs else {}),
                **there,
            }
        )
    except ValidationError as error:
        raise BadScenario(_sentence(error)) from None


def address_of(scenario: WhatIf) -> dict[str, str]:
    """The parameters that ask for a scenario; of several changes of a kind the first."""
    window, query = scenario.window, dict(scenario.calls.pairs)
    if window.last is not None:
        query["last"] = format_duration(window.last)
    elif window.start is not None and window.until is not None:
        query |= {"from": iso(window.start), "to": iso(window.until)}
    return query | _of_limit(scenario.rate_limits) | _of_cache(scenario.caches) | _of_move(scenario.moves) | _of_fallback(
        scenario.fallbacks
    )  # fmt: skip


def _window(asked: Mapping[str, str]) -> dict[str, Any]:
    if "from" in asked and "to" in asked:
        return {"from": read_time("from", asked["from"]), "until": read_time("to", asked["to"])}
    return {"last": read_span("last", asked.get("last", DEFAULT_LAST))}


def _limits(asked: Mapping[str, str]) -> list[dict[str, Any]]:
    if "rate" not in asked:
        return []
    return [{"per": asked.get("per", "tenant"), "rate": asked["rate"], "burst": asked.get("burst", _BURST)}]


def _caches(asked: Mapping[str, str]) -> list[dict[str, Any]]:
    if "cache" not in asked:
        return []
    return [
        {"key": ["route", "prompt_hash"], "ttl": asked["cache"], "entries": asked.get("entries", _ENTRIES).replace(",", "")}
    ]


def _moves(asked: Mapping[str, str]) -> list[dict[str, Any]]:
    if "share" not in asked and "to_provider" not in asked and "to_model" not in asked:
        return []
    percent = asked.get("share", "100").removesuffix("%").strip()
    try:
        share = float(percent) / 100.0
    except ValueError:
        raise BadScenario(f"The share {percent!r} is no number of percent.") from None
    to = {name: asked[f"to_{name}"] for name in ("provider", "model") if f"to_{name}" in asked}
    source = {"selector": {"provider": asked["moved"]}} if "moved" in asked else {}
    return [{**source, "share": share, "to": to}]


def _fallbacks(asked: Mapping[str, str]) -> list[dict[str, Any]]:
    order = [name.strip() for name in asked.get("order", "").split(",") if name.strip()]
    timeout = {"timeout": asked["timeout"]} if "timeout" in asked else {}
    return [{**({"order": order} if order else {}), **timeout}] if order or timeout else []


def _name(changes: Mapping[str, Any]) -> str:
    return "what if: " + ", ".join(_PARTS[kind] for kind in changes)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    kind = next((words for name, words in _PARTS.items() if name in first["loc"]), "scenario")
    names = [part for part in first["loc"] if isinstance(part, str) and part not in _PARTS]
    message = str(first["msg"]).removeprefix("Value error, ")
    value = first.get("input")
    quoted = f", not {value!r}" if isinstance(value, str | int | float) and first["type"] != "value_error" else ""
    return f"The {kind} cannot be used: {' '.join([*names, ''])}{message[:1].lower()}{message[1:]}{quoted}."


def _of_limit(limits: tuple[RateLimitChange, ...]) -> dict[str, str]:
    return {"rate": f"{limits[0].rate:g}", "burst": f"{limits[0].burst:g}", "per": limits[0].per} if limits else {}


def _of_cache(caches: tuple[CacheChange, ...]) -> dict[str, str]:
    return {"cache": format_duration(caches[0].ttl), "entries": str(caches[0].entries)} if caches else {}


def _of_move(moves: tuple[MoveChange, ...]) -> dict[str, str]:
    if not moves:
        return {}
    query = {"share": f"{100.0 * moves[0].share:g}"}
    query |= {f"to_{name}": value for name, value in moves[0].to.calls.pairs if name != "account"}
    return query | ({"moved": moves[0].selector["provider"]} if "provider" in moves[0].selector else {})


def _of_fallback(fallbacks: tuple[FallbackChange, ...]) -> dict[str, str]:
    if not fallbacks:
        return {}
    first = fallbacks[0]
    timeout = {} if first.timeout is None else {"timeout": format_duration(first.timeout)}
    return {**({"order": ", ".join(first.order)} if first.order else {}), **timeout}
