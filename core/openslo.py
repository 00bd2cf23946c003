"""Objectives from OpenSLO v1 files (https://github.com/OpenSLO/OpenSLO, v1): documents of kind `SLO`, and `SLI` that they name.

OpenSLO leaves to each vendor how an indicator is measured. Here a metric source of type `tpscope` names a transaction, or a
metric and, if it is not about all calls, a selector: `metricSource: {type: tpscope, spec: {transaction: pay, under: 500ms}}`.
A `ratioMetric` with such a source under `good` or `bad` is a share, and its target the share of good calls; a `thresholdMetric`
has its limits in the objectives' `op` and `value`: of a transaction's `latency` in ms (its target the share of calls up to it)
or its `tps` (its target the share of minutes), else of the metric itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from core.config import ObjectiveSettings
from core.errors import ConfigError
from core.openslo_window import window_of

_API = "openslo/v1"
_SIDES = {"lte": "at_most", "lt": "at_most", "gte": "at_least", "gt": "at_least"}


def read_openslo(text: str, source: str) -> list[ObjectiveSettings]:
    """The objectives of all SLOs of a file; documents of other kinds are passed over.

    Raises ConfigError that names the file, the SLO and what cannot be read.
    """
    try:
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError as error:
        raise ConfigError(source, f"is no YAML ({str(error).splitlines()[0]})") from error
    slos = [one for one in documents if isinstance(one, Mapping) and one.get("kind") == "SLO"]
    if not slos:
        raise ConfigError(source, "holds no document of kind SLO")
    named = {
        str(_at(one, "metadata", "name")): one for one in documents if isinstance(one, Mapping) and one.get("kind") == "SLI"
    }
    return [objective for slo in slos for objective in _objectives(slo, named, source)]


def _objectives(slo: Mapping[str, Any], slis: Mapping[str, Any], source: str) -> Iterator[ObjectiveSettings]:
    name = str(_at(slo, "metadata", "name") or "unnamed")
    where = f"{source}: SLO {name!r}"
    if slo.get("apiVersion") != _API:
        raise ConfigError(where, f"apiVersion {slo.get('apiVersion')!r} is not {_API!r}")
    kind, measured = _measured(_indicator(slo, slis, where), where)
    wanted = _at(slo, "spec", "objectives")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, Mapping) for one in wanted):
        raise ConfigError(where, "has no list of objectives")
    common = {
        "description": str(_at(slo, "spec", "description") or _at(slo, "metadata", "displayName") or ""),
        **window_of(_at(slo, "spec", "timeWindow"), where),
    }
    _check_method(_at(slo, "spec", "budgetingMethod"), measured, where)
    for number, objective in enumerate(wanted):
        given = {"name": name if len(wanted) == 1 else f"{name}-{number + 1}", **common}
        given |= _of_transaction(kind, measured, objective, where) if measured.get("transaction") else {
            "metric": measured.get("metric"), "selector": measured.get("selector") or {},
            **(_limit(objective, where) if kind == "threshold" else {"at_most": round(1.0 - _target(objective, where), 12)}),
        }  # fmt: skip
        try:
            yield ObjectiveSettings.model_validate(given)
        except ValidationError as error:
            raise ConfigError(where, error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _indicator(slo: Mapping[str, Any], slis: Mapping[str, Any], where: str) -> Any:
    reference = _at(slo, "spec", "indicatorRef")
    if reference is None:
        return _at(slo, "spec", "indicator", "spec") or {}
    if str(reference) not in slis:
        raise ConfigError(where, f"its indicatorRef {reference!r} is no SLI of this file")
    return _at(slis[str(reference)], "spec") or {}


def _measured(indicator: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    """`good`, `bad` or `threshold`, and the spec of its metric source."""
    places = {"bad": ("ratioMetric", "bad"), "good": ("ratioMetric", "good"), "threshold": ("thresholdMetric",)}
    for kind, path in places.items():
        source = _at(indicator, *path, "metricSource")
        spec = _at(source, "spec")
        if _at(source, "type") == "tpscope" and isinstance(spec, Mapping) and (spec.get("transaction") or spec.get("metric")):
            if kind == "good" and not spec.get("transaction"):
                raise ConfigError(where, "ratioMetric.good needs a transaction, whose rule says what is good; a metric is bad")
            return kind, spec
    problem = (
        "its indicator needs ratioMetric.good, ratioMetric.bad or thresholdMetric with metricSource "
        "{type: tpscope, spec: {transaction: …}} or {type: tpscope, spec: {metric: …}}"
    )
    raise ConfigError(where, problem)


def _of_transaction(kind: str, measured: Mapping[str, Any], objective: Mapping[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {"transaction": measured.get("transaction"), "target": _target(objective, where)}
    if kind != "threshold":
        return found | {name: measured[name] for name in ("under", "at_least") if name in measured}
    metric, limit = measured.get("metric"), _limit(objective, where)
    if metric == "latency" and "at_most" in limit:
        return {**found, "under": f"{limit['at_most']:.10g}ms"}
    if metric == "tps" and "at_least" in limit:
        return {**found, "at_least": limit["at_least"]}
    raise ConfigError(where, "a thresholdMetric of a transaction is of metric latency (op lte, in ms) or tps (op gte)")


def _check_method(method: Any, measured: Mapping[str, Any], where: str) -> None:
    minutes = "at_least" in measured or measured.get("metric") == "tps"
    usual = "Timeslices" if measured.get("transaction") and minutes else "Occurrences"
    if method not in (None, usual):
        raise ConfigError(where, f"budgetingMethod {method!r} is not how this is counted, which is {usual}")


def _target(objective: Mapping[str, Any], where: str) -> float:
    target = objective.get("target", _percent(objective.get("targetPercent")))
    if not isinstance(target, int | float) or not 0 < target < 1:
        raise ConfigError(where, "an objective needs a target between 0 and 1, or targetPercent between 0 and 100")
    return round(float(target), 12)


def _limit(objective: Mapping[str, Any], where: str) -> dict[str, float]:
    side, value = _SIDES.get(str(objective.get("op"))), objective.get("value")
    if side is None or not isinstance(value, int | float):
        raise ConfigError(where, f"an objective of a thresholdMetric needs op ({', '.join(_SIDES)}) and value")
    return {side: float(value)}


def _percent(value: Any) -> float | None:
    return value / 100 if isinstance(value, int | float) else None


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
