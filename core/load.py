"""Reads the settings from a YAML file and from `TPSCOPE_…` variables; every mistake is one line that names its place."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from core.config import Settings
from core.errors import ConfigError
from core.part import Part
from core.rules import RULE_KINDS

ENV_PREFIX = "TPSCOPE_"
_SEPARATOR = "__"
OWN_VARIABLES = frozenset({"TPSCOPE_CONFIG", "TPSCOPE_SHARED_DATA", "TPSCOPE_REQUIRE_ENGINES", "TPSCOPE_CHROMIUM",
                           "TPSCOPE_KAFKA_JARS"})  # fmt: skip
"""Variables with our prefix that are no settings."""


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `path` (none: defaults) with `environ` laid over it.

    A variable names a key by its path in capitals, parts joined by two underscores (`TPSCOPE_KAFKA__TOPIC`); its value is
    read as YAML. List items are named by number.

    Raises
    ------
    ConfigError
        For a file that cannot be read, is no YAML mapping, has an unknown key or a bad value. One line; of several mistakes
        the first, with the number of the others.
    """
    tree = _read_yaml(path) if path else {}
    variables = os.environ if environ is None else environ
    origins = _overlay(tree, variables)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _first_mistake(error, path, origins) from None


Read = TypeVar("Read", bound=Part)


def read_part(path: Path, kind: type[Read]) -> Read:
    """A YAML file that holds one part, such as a what-if scenario. Raises ConfigError as `load_settings` does."""
    tree = _read_yaml(path, tuple(kind.model_fields)[-2:])
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise _first_mistake(error, path, {}, kind) from None


def _read_yaml(path: Path, named: tuple[str, ...] = ("store", "kafka")) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError(str(path), f"cannot be read ({reason}); check the path") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(where, f"is no valid YAML ({getattr(error, 'problem', None) or 'syntax'})") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(str(path), f"must hold a mapping of keys such as {' and '.join(f'`{name}:`' for name in named)}")
    return tree


def _overlay(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lay the variables over `tree` in place; returns which variable set which key, for the messages."""
    origins: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name in OWN_VARIABLES:
            continue
        keys = tuple(part.lower() for part in name.removeprefix(ENV_PREFIX).split(_SEPARATOR))
        try:
            value = yaml.safe_load(environ[name])
        except yaml.YAMLError as error:
            raise ConfigError(name, "is no valid YAML value") from error
        _set(tree, keys, value, name)
        origins[keys] = name
    return origins


def _set(tree: dict[str, Any], keys: tuple[str, ...], value: Any, variable: str) -> None:
    node: Any = tree
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise ConfigError(variable, f"there is no item {key!r} in that list of the configuration file")
            index: Any = int(key)
        elif isinstance(node, dict):
            index = key
        else:
            raise ConfigError(variable, f"{key!r} lies below a key that holds a plain value")
        if following is None:
            node[index] = value
        elif isinstance(node, dict):
            node = node.setdefault(index, {})
        else:
            node = node[index]


def _first_mistake(
    error: ValidationError, path: Path | None, origins: Mapping[tuple[str, ...], str], kind: type[Part] = Settings
) -> ConfigError:
    mistakes = error.errors(include_url=False)
    first = mistakes[0]
    location = tuple(str(part) for part in first["loc"] if part not in RULE_KINDS)
    dotted = ".".join(location)
    where = next((name for keys, name in origins.items() if location[: len(keys)] == keys), _source(path, location))
    problem = _problem(first, location, kind)
    if len(mistakes) > 1:
        problem += f" (and {len(mistakes) - 1} more)"
    return ConfigError(f"{where}: {dotted}" if dotted else where, problem)


def _source(path: Path | None, location: tuple[str, ...]) -> str:
    """The file, with the line of the innermost key that is there."""
    if path is None:
        return "configuration"
    line = line_of(path.read_text(encoding="utf-8"), location)
    return f"{path}:{line}" if line else str(path)


def line_of(text: str, location: tuple[str, ...]) -> int:
    """The line (from 1) of a key of a YAML text, or of the nearest key around it that is there; 0 for none."""
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 0
    for part in location:
        if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            node, line = found[1], found[0].start_mark.line + 1
        else:
            break
    return line


def _problem(mistake: Any, location: tuple[str, ...], kind: type[Part]) -> str:
    if mistake["type"] == "extra_forbidden":
        key = location[-1]
        close = difflib.get_close_matches(key, _known_keys(kind), n=1)
        return f"unknown key {key!r}" + (f"; did you mean {close[0]!r}?" if close else "; remove it")
    if mistake["type"] == "missing":
        return "is required"
    message = str(mistake["msg"]).removeprefix("Value error, ")
    value = mistake.get("input")
    quoted = repr(value) if isinstance(value, str | int | float | bool) else ""
    show = quoted and mistake["type"] != "value_error" and len(quoted) < 80 and not _secretive(location)
    return message[0].lower() + message[1:] + (f", not {quoted}" if show else "")


def _secretive(location: tuple[str, ...]) -> bool:
    return any(word in part for part in location for word in ("password", "token", "url", "secret"))


def _known_keys(kind: type[Part]) -> list[str]:
    names: set[str] = set()
    seen: set[Any] = set()

    def walk(part: Any) -> None:
        if isinstance(part, type) and issubclass(part, Part) and part not in seen:
            seen.add(part)
            names.update(info.alias or name for name, info in part.model_fields.items())
            for info in part.model_fields.values():
                walk(info.annotation)
        for inner in getattr(part, "__args__", ()):
            walk(inner)

    walk(kind)
    return sorted(names)
