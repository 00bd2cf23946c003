"""Options that several commands have, and how their values are read."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from core.durations import parse_duration
from core.errors import ConfigError
from core.load import load_settings

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", envvar="TPSCOPE_CONFIG", help="YAML configuration file.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Store URL, instead of the configuration's store.url.")]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", metavar="SCHEDULER", help="Run on this Dask cluster (tcp://HOST:8786), which sees the folders."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

_LONGEST = timedelta(days=36_525)
"""A century: there are dates so long before and after any day that is asked for."""


def settings_of(config: Path | None, store: str | None) -> Any:
    """The settings, with `--store` laid over them."""
    settings = load_settings(config)
    if store is None:
        return settings
    from core.config import StoreSettings

    try:
        checked = StoreSettings.model_validate({**settings.store.model_dump(exclude={"url", "password"}), "url": store})
    except ValueError as error:
        detail = str(error).splitlines()[2].strip().removeprefix("Value error, ").split(" [type=")[0]
        raise ConfigError("--store", detail) from None
    return settings.model_copy(update={"store": checked.model_copy(update={"password": settings.store.password})})


def duration_option(name: str, text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise ConfigError(name, str(error)) from error
    if duration > _LONGEST:
        raise ConfigError(name, f"{text!r} is longer than {_LONGEST.days:,} days, the longest there is")
    return duration


def time_option(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(name, f"{text!r} is no time; write for example 2026-03-01T00:00:00Z") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
