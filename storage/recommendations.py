"""Recommendations: each state appended, the latest holds."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from core.recommendations import Effect, Finding, Outcome, Recommendation, RecommendationState, Verdict
from core.record import TS_TYPE
from core.series import Selector
from storage.contract import Store
from storage.frames import items_table, moment, moment_or_none
from storage.sequence import next_seq

LATEST = """
SELECT id, state, starts_at, ends_at, found_at, who, why, decided_at, finding, outcome
FROM (SELECT * FROM recommendations WHERE empty({id:String}) OR id = {id:String} ORDER BY id, seq DESC LIMIT 1 BY id)
ORDER BY found_at DESC, id
"""
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "rule", "selector", "state")),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at", "found_at")),
        *(pa.field(name, pa.string()) for name in ("who", "why")),
        pa.field("decided_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("finding", "outcome")),
        pa.field("seq", pa.uint64()),
    ]
)


def write_recommendations(store: Store, items: Sequence[Recommendation]) -> None:
    """Append the present states."""
    if not items:
        return
    first = next_seq(len(items))
    made: dict[str, Sequence[object]] = {
        "rule": [one.finding.rule for one in items],
        "selector": [str(one.finding.selector) for one in items],
        "state": [str(one.state) for one in items],
        "starts_at": [one.start for one in items],
        "ends_at": [one.end for one in items],
        "finding": [_finding_json(one.finding) for one in items],
        "outcome": ["" if one.outcome is None else orjson.dumps(asdict(one.outcome)).decode() for one in items],
        "seq": list(range(first, first + len(items))),
    }
    store.insert("recommendations", items_table(_SCHEMA, items, **made))


def read_recommendations(store: Store, recommendation_id: str = "") -> list[Recommendation]:
    """All in their latest state, the largest gain first; by id that one alone."""
    found = [_recommendation(row) for row in store.arrow(LATEST, {"id": recommendation_id}).to_pylist()]
    return sorted(found, key=lambda one: -one.finding.gain)


def _finding_json(finding: Finding) -> str:
    effect = {**asdict(finding.effect), "scope": str(finding.effect.scope)}
    return orjson.dumps({**asdict(finding), "selector": str(finding.selector), "effect": effect}).decode()


def _finding(text: str) -> Finding:
    body = orjson.loads(text)
    numbers = {name: float("nan") if body["effect"][name] is None else body["effect"][name] for name in ("lower", "upper")}
    effect = Effect(**{**body["effect"], **numbers, "scope": Selector.parse(body["effect"]["scope"])})
    selector = Selector.parse(body["selector"])
    return Finding(**{**body, "effect": effect, "selector": selector, "evidence": tuple(body["evidence"])})


def _outcome(text: str) -> Outcome | None:
    if not text:
        return None
    body = orjson.loads(text)
    return Outcome(**{**body, "checked_at": datetime.fromisoformat(body["checked_at"]), "verdict": Verdict(body["verdict"])})


def _recommendation(row: dict[str, Any]) -> Recommendation:
    return Recommendation(
        id=row["id"],
        finding=_finding(row["finding"]),
        start=moment(row["starts_at"]),
        end=moment(row["ends_at"]),
        found_at=moment(row["found_at"]),
        state=RecommendationState(row["state"]),
        who=row["who"],
        why=row["why"],
        decided_at=moment_or_none(row["decided_at"]),
        outcome=_outcome(row["outcome"]),
    )
