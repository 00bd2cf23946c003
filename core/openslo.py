"""Objectives from OpenSLO v1 files (https://github.com/OpenSLO/OpenSLO, v1): documents of kind `SLO`.

OpenSLO leaves to each vendor how an indicator is measured. Here a metric source of type `tpscope` names a metric and, if it is
not about all calls, a selector: `metricSource: {type: tpscope, spec: {metric: error_rate, selector: {service: chat}}}`. A
`ratioMetric` with such a source under `bad` is a share of bad calls, and its target the share of good ones; a `thresholdMetric`
has its limits in the objectives' `op` and `value`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from core.config import ObjectiveSettings
from core.errors import ConfigError

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
    return [objective for slo in slos for objective in _objectives(slo, source)]


def _objectives(slo: Mapping[str, Any], source: str) -> Iterator[ObjectiveSettings]:
    name = str(_at(slo, "metadata", "name") or "unnamed")
    where = f"{source}: SLO {name!r}"
    if slo.get("apiVersion") != _API:
        raise ConfigError(where, f"apiVersion {slo.get('apiVersion')!r} is not {_API!r}")
    spec = _at(slo, "spec", "indicator", "spec") or {}
    ratio, threshold = _at(spec, "ratioMetric", "bad"), spec.get("thresholdMetric")
    measured = _at(ratio or threshold or {}, "metricSource")
    if _at(measured or {}, "type") != "tpscope" or not _at(measured, "spec", "metric"):
        problem = "its indicator needs ratioMetric.bad or thresholdMetric with metricSource {type: tpscope, spec: {metric: …}}"
        raise ConfigError(where, problem)
    wanted = _at(slo, "spec", "objectives")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, Mapping) for one in wanted):
        raise ConfigError(where, "has no list of objectives")
    for number, objective in enumerate(wanted):
        given = {
            "name": name if len(wanted) == 1 else f"{name}-{number + 1}",
            "metric": _at(measured, "spec", "metric"),
            "selector": _at(measured, "spec", "selector") or {},
            "description": str(_at(slo, "spec", "description") or _at(slo, "metadata", "displayName") or ""),
            **(_share(objective, where) if ratio else _limit(objective, where)),
        }
        try:
            yield ObjectiveSettings.model_validate(given)
        except ValidationError as error:
            raise ConfigError(where, error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _share(objective: Mapping[str, Any], where: str) -> dict[str, float]:
    target = objective.get("target", _percent(objective.get("targetPercent")))
    if not isinstance(target, int | float) or not 0 < target < 1:
        raise ConfigError(where, "an objective needs a target between 0 and 1, or targetPercent between 0 and 100")
    return {"at_most": round(1.0 - float(target), 12)}


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
