"""How long the tables keep their rows: TTL clauses, changed only where they differ from the configuration."""

import re
from dataclasses import dataclass
from datetime import timedelta

from core.config import RetentionSettings
from storage.contract import Store

TABLE_ENGINE = "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
_TTL = re.compile(r"\bTTL (.+?) SETTINGS\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    table: str
    moment: str
    keep: timedelta
    spares_imports: bool


def apply_retention(store: Store, settings: RetentionSettings) -> list[str]:
    """Set each table's TTL to what `settings` say; returns the names of the tables that changed.

    ClickHouse deletes in the background, a part at a time, when parts merge; a change does not rewrite what is there at once.
    """
    changed = []
    for rule in _rules(settings):
        wanted = _clause(rule)
        if _same(_current(store, rule.table), wanted):
            continue
        store.command(f"ALTER TABLE {rule.table} MODIFY TTL {wanted} SETTINGS materialize_ttl_after_modify = 0")
        changed.append(rule.table)
    return changed


def kept_for(settings: RetentionSettings) -> dict[str, timedelta]:
    """How long each table whose rows go keeps them, by its name."""
    return {rule.table: rule.keep for rule in _rules(settings)}


def _rules(settings: RetentionSettings) -> list[_Rule]:
    def rule(table: str, moment: str, keep: timedelta, *, spares_imports: bool = settings.keep_imported) -> _Rule:
        return _Rule(table=table, moment=moment, keep=keep, spares_imports=spares_imports)

    return [
        rule("calls", "toDateTime(ts)", settings.calls),
        rule("route_1m", "minute", settings.rollups),
        rule("model_1m", "minute", settings.rollups),
        rule("tenant_1m", "minute", settings.rollups),
        rule("service_1m", "minute", settings.rollups),
        rule("provider_1m", "minute", settings.rollups),
        rule("unpriced_1m", "minute", settings.rollups),
        rule("calls_1s", "second", settings.seconds),
        rule("dead_letters", "toDateTime(received_at)", settings.dead_letters, spares_imports=False),
        rule("dead_letter_replays", "toDateTime(at)", settings.dead_letters, spares_imports=False),
        rule("samples", "toDateTime(ts)", settings.samples, spares_imports=False),
        rule("reviews", "toDateTime(made_at)", settings.reviews, spares_imports=False),
        rule("transactions_1m", "minute", settings.transactions, spares_imports=False),
    ]


def _clause(rule: _Rule) -> str:
    seconds = max(int(rule.keep.total_seconds()), 1)
    condition = " WHERE origin != 'import'" if rule.spares_imports else ""
    return f"{rule.moment} + toIntervalSecond({seconds}) DELETE{condition}"


def _current(store: Store, table: str) -> str:
    rows = store.arrow(TABLE_ENGINE, {"name": table}).column("engine_full").to_pylist()
    match = _TTL.search(rows[0]) if rows else None
    return match[1] if match else ""


def _same(current: str, wanted: str) -> bool:
    return _normal(current) == _normal(wanted)


def _normal(clause: str) -> str:
    """Intervals in seconds; a bare TTL deletes."""
    units = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86400, "Week": 604800}
    text = re.sub(r"toInterval(\w+)\((\d+)\)", lambda m: f"toIntervalSecond({int(m[2]) * units.get(m[1], 0)})", clause)
    return " ".join(text.replace(" DELETE", "").split())
