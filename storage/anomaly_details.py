"""The part of an anomaly that is kept as one JSON object: causes, hint, what did not move, related series, the verdict."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from core.series import Selector
from core.types import Anomaly, AnomalyVerdict, Cause, Related


def details_json(anomaly: Anomaly) -> str:
    details = {
        "opened_at": anomaly.opened_at,
        "causes": [_fields(cause, ("observed", "expected", "share", "surprise")) for cause in anomaly.causes],
        "hint": anomaly.hint,
        "evidence": anomaly.evidence,
        "unmoved": anomaly.unmoved,
        "related": [_fields(part, ("metric", "lag_minutes", "correlation")) for part in anomaly.related],
        "verdict": anomaly.verdict.value,
    }
    return orjson.dumps(details, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def details_of(text: str) -> dict[str, Any]:
    """Fields of `Anomaly` from `details_json`; none from the empty text of an anomaly that was kept before there were any."""
    if not text:
        return {}
    held: dict[str, Any] = orjson.loads(text)
    return {
        "opened_at": datetime.fromisoformat(held["opened_at"]) if held["opened_at"] else None,
        "causes": tuple(_cause(part) for part in held["causes"]),
        "hint": held["hint"],
        "evidence": held["evidence"],
        "unmoved": tuple(held["unmoved"]),
        "related": tuple(Related(**{**part, "selector": Selector.parse(part["selector"])}) for part in held["related"]),
        "verdict": AnomalyVerdict(held["verdict"]),
    }


def _fields(part: Cause | Related, names: tuple[str, ...]) -> dict[str, Any]:
    return {"selector": str(part.selector), **{name: getattr(part, name) for name in names}}


def _cause(part: Mapping[str, Any]) -> Cause:
    numbers = {name: float("nan") if part[name] is None else float(part[name]) for name in part if name != "selector"}
    return Cause(selector=Selector.parse(part["selector"]), **numbers)
