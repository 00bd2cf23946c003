"""The configuration that the demo runs with: embedded engine and broker, what the scenario wants and must not exceed."""

from pathlib import Path
from typing import Any

import yaml

from tpscope.broker import CONSUMER_SETTINGS
from tpscope.simulate.scenario import CountedSpec, Scenario

RECEIVER = "terminal"


def demo_config(scenario: Scenario, rate: float, directory: Path, port: int, brokers: str, webhook: str) -> dict[str, Any]:
    """As a configuration file has it: targets and limits scaled to `rate` calls a second; `webhook` is told of alerts."""
    return {
        "store": {"url": f"chdb://{directory.resolve()}"},
        "kafka": {
            "brokers": [brokers],
            "session_timeout": f"{CONSUMER_SETTINGS['session_timeout_ms']}ms",
            "batch_age": "500ms",
        },
        "transactions": [_transaction(scenario.counted)] if scenario.counted else [],
        "objectives": [*_bounds(scenario, rate), *(_promises(scenario.counted) if scenario.counted else ())],
        "limits": [limit.at_rate(rate / scenario.full_rate) for limit in scenario.limits],
        "rules": _rules(scenario, rate),
        "receivers": [{"name": RECEIVER, "type": "webhook", "url": webhook}],
        "forecast": {"metrics": ["tps", "peak_tps", "tokens_per_s", "cost_per_h"], "by": ["service", "provider"]},
        "web": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
    }


def write_config(config: dict[str, Any], directory: Path) -> Path:
    """Put the configuration beside the data, for the commands of a second terminal."""
    path = directory / "tpscope.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, width=120), encoding="utf-8")
    return path


def _transaction(counted: CountedSpec) -> dict[str, Any]:
    return {"name": counted.name, "selector": counted.selector, "description": counted.description}


def _bounds(scenario: Scenario, rate: float) -> list[dict[str, Any]]:
    found = []
    for target, value, text in scenario.scaled_targets(rate):
        side = "at_most" if target.at_most is not None else "at_least"
        of = {"metric": target.metric, "selector": target.selector}
        found.append({"name": target.name, **of, side: value, "description": text})
    return found


def _promises(counted: CountedSpec) -> list[dict[str, Any]]:
    of: dict[str, Any] = {"transaction": counted.name, "window": "28d"}
    return [
        {"name": f"{counted.name}-good", **of, "target": counted.good},
        {"name": f"{counted.name}-fast", **of, "target": counted.fast, "under": counted.under},
    ]


def _rules(scenario: Scenario, rate: float) -> list[dict[str, Any]]:
    to: dict[str, Any] = {"receivers": [RECEIVER]}
    rules: list[dict[str, Any]] = [
        {"kind": "anomaly", "name": "anomaly", "severity": "critical", **to},
        {"kind": "change", "name": "changes", "improvements": True, **to},
    ]
    for target, value, _ in scenario.scaled_targets(rate):
        if target.at_most is not None:
            of = {"metric": target.metric, "selector": target.selector, "above": value}
            rules.append({"kind": "threshold", "name": target.name, **of, "window": "5m", "hold": "2m", "min_calls": 100, **to})
    return rules
