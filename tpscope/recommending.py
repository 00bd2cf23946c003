"""`tpscope recommend list|show|accept|dismiss`."""

import json
import math
import textwrap
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from analytics.recommendation_job import judge, latest_calls
from analytics.recommending.course import merged
from core.config import Settings
from core.errors import ConfigError
from core.recommendations import IN_SIGHT, Effect, Recommendation, RecommendationState
from core.whatif import WhatIf
from core.whatif_text import scenario_yaml
from storage.contract import Store
from storage.recommendations import read_recommendations, write_recommendations
from storage.series import latest_minute
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.tenants import actor


def run_list(settings: Settings, *, everything: bool, fresh: bool, as_json: bool) -> int:
    """Print them, the largest gain first."""
    with reading(settings) as store:
        if fresh:
            _look(store, settings)
        found = [one for one in read_recommendations(store) if everything or one.state in IN_SIGHT]
    if as_json:
        print_json({"recommendations": [recommendation_json(one) for one in found]})
        return 0
    for one in found:
        state = "" if one.state is RecommendationState.OPEN else f" [{_state_words(one)}]"
        _say(f"{one.id}  {one.finding.gain:6.1%} of {one.finding.gain_of}: {one.finding.action}{state}")
    if not found:
        _say("nothing is recommended; the job looks once a day, `tpscope recommend list --now` at once")
    return 0


def run_show(settings: Settings, recommendation_id: str, *, as_json: bool) -> int:
    """Print one with everything that is known of it."""
    with reading(settings) as store:
        one = _one(store, recommendation_id)
    if as_json:
        print_json(recommendation_json(one))
        return 0
    finding = one.finding
    _say(f"{one.id}: {finding.action}")
    _say(f"  state       {_state_words(one)}")
    _say(f"  seen        {one.start:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC")
    for words in finding.evidence:
        _say(f"  evidence    {words}")
    _say(f"  effect      {effect_words(finding.effect)}")
    _say(f"  gain        {finding.gain:.1%} of {finding.gain_of}, confidence {finding.confidence:.0%}")
    _say(f"  to verify   {finding.verify}")
    if finding.scenario:
        _say("  scenario    replayed for the effect; as a file for `tpscope whatif`:")
        _say(textwrap.indent(scenario_yaml(WhatIf.model_validate_json(finding.scenario)).rstrip(), " " * 14))
    if one.outcome is not None:
        of_calls = f"{one.outcome.calls:,} calls until {one.outcome.checked_at:%Y-%m-%d %H:%M} UTC"
        _say(f"  came of it  {one.outcome.measured:.4g} {finding.effect.unit}, {of_calls}: {one.outcome.verdict}")
    return 0


def run_decide(settings: Settings, recommendation_id: str, state: RecommendationState, why: str, *, as_json: bool) -> int:
    """Write what somebody decided."""
    if state is RecommendationState.DISMISSED and not why.strip():
        raise ConfigError("--why", "is empty; say why it is not wanted, for whoever asks later")
    with reading(settings) as store:
        one = _one(store, recommendation_id).decided(state, actor(), why, datetime.now(UTC))
        write_recommendations(store, [one])
    if as_json:
        print_json(recommendation_json(one))
    else:
        Console(stderr=True, soft_wrap=True).print(f"{one.id}: {_state_words(one)}", highlight=False, markup=False)
    return 0


def recommendation_json(one: Recommendation) -> dict[str, Any]:
    """As `--json` prints it; unknown is null."""
    finding, effect = one.finding, one.finding.effect
    return {
        "id": one.id,
        "rule": finding.rule,
        "selector": finding.selector.labels,
        "action": finding.action,
        "evidence": list(finding.evidence),
        "effect": {
            "measure": effect.measure,
            "of": effect.scope.labels,
            "unit": effect.unit,
            **{name: _known(getattr(effect, name)) for name in ("before", "after", "lower", "upper")},
        },
        "gain": finding.gain,
        "gain_of": finding.gain_of,
        "confidence": finding.confidence,
        "verify": finding.verify,
        "scenario": json.loads(finding.scenario) if finding.scenario else None,
        "from": one.start.isoformat(),
        "to": one.end.isoformat(),
        "found_at": one.found_at.isoformat(),
        "state": str(one.state),
        "who": one.who or None,
        "why": one.why or None,
        "decided_at": one.decided_at.isoformat() if one.decided_at else None,
        "outcome": None
        if one.outcome is None
        else {
            "checked_at": one.outcome.checked_at.isoformat(),
            "calls": one.outcome.calls,
            "measured": _known(one.outcome.measured),
            "verdict": str(one.outcome.verdict),
        },
    }


def effect_words(effect: Effect) -> str:
    """`cost_per_call 0.0021 to 0.0008 USD (0.0007 to 0.0009), route /v1/chat`."""
    change = f"{effect.before:.4g} to {effect.after:.4g} {effect.unit} ({effect.lower:.4g} to {effect.upper:.4g})"
    return f"{effect.measure} {change}, {effect.scope.words}"


def _look(store: Store, settings: Settings) -> None:
    newest = latest_minute(store)
    if newest is None:
        return
    now = datetime.now(UTC)
    span, calls = latest_calls(store, now, settings.recommendations.window)
    if len(calls):
        write_recommendations(store, merged(read_recommendations(store), judge(calls, settings), span, now))


def _one(store: Store, recommendation_id: str) -> Recommendation:
    found = read_recommendations(store, recommendation_id) if recommendation_id else []
    if not found:
        raise ConfigError("recommend", f"there is no recommendation {recommendation_id!r}; `tpscope recommend list` has them")
    return found[0]


def _state_words(one: Recommendation) -> str:
    words = str(one.state)
    if one.decided_at is not None:
        words += f" by {one.who} on {one.decided_at:%Y-%m-%d %H:%M} UTC" + (f": {one.why}" if one.why else "")
    if one.outcome is not None:
        words += f"; the prediction was {one.outcome.verdict}"
    return words


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _say(words: str) -> None:
    Console(soft_wrap=True).print(words, highlight=False, markup=False)
