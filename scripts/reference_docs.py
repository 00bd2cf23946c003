"""Writes docs/configuration.md and docs/metrics.md from the code they describe; with --check only compares.

A test runs the comparison, so that a key or a metric cannot be without its line.
"""

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.config import Settings
from core.durations import format_duration
from core.telemetry import METRIC_DOCS

DOCS = Path(__file__).resolve().parents[1] / "docs"


def configuration() -> str:
    """The page of all keys: one table per part, in the order of the settings tree."""
    lines = [
        "# Configuration",
        "",
        "One YAML file (`--config FILE` or `TPSCOPE_CONFIG`); with none at all everything runs on these defaults.",
        "`tpscope config check` names a mistake by file and key, `config show` prints what is in force, and `config schema` is",
        "a JSON schema for editors.",
        "",
        "Every key can be overridden by a variable: `TPSCOPE_` and the key's path in capitals, parts joined by two",
        "underscores, the value as YAML (`TPSCOPE_KAFKA__BROKERS=kafka-1:9092,kafka-2:9092`,",
        "`TPSCOPE_RECEIVERS__0__URL=env:HOOK`). Durations are written `90s`, `15m`, `1h30m`, `28d`. Secrets never stand in",
        "the file: write `env:NAME` or `file:/path`.",
        "",
        "This page is made from the code by `python scripts/reference_docs.py`.",
    ]
    for path, model, text in _parts(Settings, "", "Top level."):
        lines += ["", f"## {path or 'Top level'}", "", text, "", "| key | default | meaning |", "|---|---|---|"]
        fields = model.model_fields.items()
        lines += [f"| `{info.alias or name}` | {_default(info)} | {info.description or ''} |" for name, info in fields]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """The page of all metrics under /metrics."""
    lines = [
        "# Metrics about tpscope itself",
        "",
        "Under `/metrics`, for Prometheus. This page is made from the code by `python scripts/reference_docs.py`.",
        "",
        "| metric | type | unit | labels | meaning | when it moves |",
        "|---|---|---|---|---|---|",
    ]
    for doc in METRIC_DOCS:
        labels = ", ".join(f"`{label}`" for label in doc.labels)
        lines.append(f"| `{doc.name}` | {doc.type} | {doc.unit} | {labels} | {doc.meaning} | {doc.when_it_moves} |")
    return "\n".join(lines) + "\n"


def _parts(model: type[BaseModel], path: str, text: str) -> Iterator[tuple[str, type[BaseModel], str]]:
    yield path, model, text
    for name, info in model.model_fields.items():
        below = f"{path}.{name}" if path else name
        for inner, suffix in _models(info.annotation):
            if inner is model:  # routes lie in routes; once is enough
                continue
            yield from _parts(inner, below + suffix, info.description or "")


def _models(annotation: Any, suffix: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Settings parts inside an annotation; `[]` marks a list of them, `.NAME` a mapping, `(kind)` a kind of rule."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("kind")
        names = typing.get_args(kind.annotation) if kind else ()
        yield annotation, suffix + (f" (kind: {names[0]})" if len(names) == 1 else "")
        return
    origin = typing.get_origin(annotation)
    marks = {tuple: "[]", dict: ".NAME"}
    for part in typing.get_args(annotation):
        if origin is typing.Annotated and not isinstance(part, type | types.UnionType):
            continue
        yield from _models(part, suffix + marks.get(origin, "") if origin in marks else suffix)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "see below"
    if hasattr(value, "total_seconds"):
        return f"`{format_duration(value)}`"
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return "see the user guide"
    if value is None or value in ((), {}, ""):
        return "none"
    return f"`{', '.join(map(str, value)) if isinstance(value, tuple) else value}`"


PAGES = {"configuration.md": configuration, "metrics.md": metrics}


def main() -> int:
    """Write the pages, or with --check name the ones that are not what the code says; exit 1 then."""
    stale = 0
    for name, make in PAGES.items():
        page = DOCS / name
        if "--check" not in sys.argv:
            page.write_text(make(), encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != make():
            print(f"docs/{name} is not what the code says; run: python scripts/reference_docs.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
