"""Bodies of messages: Jinja2 templates in a sandbox, built in or the user's own, whose result must be JSON.

A template sees the message's fields (docs/user-guide.md lists them) and filters: `json` quotes a value, the others escape and
cut for one kind of markup. Undefined names are errors. A user's template that fails loses no message: the built-in one is used
and the log says why.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
from jinja2 import StrictUndefined, Template, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.message import TEST, Message
from alerts.receivers import escaping
from core.config import ReceiverSettings
from core.errors import ConfigError
from core.types import Incident, IncidentState, NotifyReason, Severity

logger = logging.getLogger(__name__)

COLORS = {Severity.INFO: "#3a7bd5", Severity.WARNING: "#e8a317", Severity.CRITICAL: "#c92a2a"}
RESOLVED_COLOR = "#2f9e44"
TEST_COLOR = "#868e96"
MOST_TEMPLATE_BYTES = 100_000
MOST_BODY_BYTES = 1_000_000


class InvalidTemplate(ValueError):
    """A template that cannot be used, with the line where it is known."""


def render(kind: str, message: Message) -> str:
    """The built-in body of a message for receivers of this type."""
    return _fill(_built_in(kind), message)


def render_for(receiver: ReceiverSettings, message: Message) -> str:
    """The body for one receiver, by its own template if it has one."""
    if receiver.template:
        try:
            return _fill(own_template(receiver.template), message)
        except (ConfigError, InvalidTemplate) as error:
            logger.error("a template failed, the built-in one is used: receiver=%s error=%s", receiver.name, error)
    return render(receiver.type, message)


def own_template(path: str) -> str:
    """The text of a user's template; raises ConfigError that names the file."""
    try:
        content = Path(path).read_bytes()
        if len(content) > MOST_TEMPLATE_BYTES:
            raise ConfigError(path, f"is larger than {MOST_TEMPLATE_BYTES:,} bytes")
        return content.decode()
    except OSError as error:
        raise ConfigError(path, f"the template cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, "the template is not UTF-8 text") from error


def check_template(path: str, message: Message) -> None:
    """Fill a user's template with `message`; raises ConfigError with file, line and reason."""
    try:
        _fill(own_template(path), message)
    except InvalidTemplate as error:
        raise ConfigError(path, str(error)) from error


def context(message: Message) -> dict[str, Any]:
    """What a template sees."""
    incident = message.incident
    return {
        "id": message.id,
        "reason": message.reason,
        "created_at": moment(message.created_at),
        "headline": message.headline,
        "explanation": message.explanation,
        "facts": [{"name": name, "text": text} for name, text in message.facts],
        "causes": [{"text": cause.text, "share": cause.share} for cause in incident.causes],
        "links": [{"name": name, "url": address} for name, address in message.links],
        "incident_url": message.incident_url,
        "runbook_url": message.runbook_url,
        "incident": _incident(incident),
        "labels": dict(sorted(incident.labels.items())),
        "metric": incident.metric,
        "value": number(incident.value),
        "threshold": number(incident.threshold),
        "lower": number(incident.lower),
        "upper": number(incident.upper),
        "unit": incident.unit,
        "color": _color(message),
        "origin": _origin(message),
    }


def _origin(message: Message) -> str:
    incident = message.incident
    if message.reason == NotifyReason.REVIEW:
        return f"tpscope · performance review · {incident.id}"
    return f"tpscope · rule {incident.rule} · {incident.severity.value} · incident {incident.id}"


def number(value: float) -> float | None:
    """None for what is unknown: JSON has no NaN."""
    return value if value - value == 0 else None


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "state": incident.state.value,
        "rule": incident.rule,
        "kind": incident.kind,
        "severity": incident.severity.value,
        "title": incident.title,
        "summary": incident.summary,
        "started_at": moment(incident.started_at),
        "resolved_at": moment(incident.resolved_at) if incident.resolved_at else None,
        "anomaly_id": incident.anomaly_id or None,
    }


def _fill(text: str, message: Message) -> str:
    """Raises InvalidTemplate."""
    try:
        filled = _compiled(text).render(context(message))
        if len(filled) > MOST_BODY_BYTES:
            raise InvalidTemplate(f"the result is larger than {MOST_BODY_BYTES:,} characters")
        body = orjson.loads(filled)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise InvalidTemplate(f"{f'line {line}: ' if line else ''}{error.message or type(error).__name__}") from error
    except orjson.JSONDecodeError as error:
        raise InvalidTemplate(f"the result is no JSON ({error}); write values as {{{{ name | json }}}}") from error
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        raise InvalidTemplate(f"{type(error).__name__}: {error}") from error
    if not isinstance(body, Mapping):
        raise InvalidTemplate("the result is no JSON object")
    return orjson.dumps(body).decode()


@lru_cache(maxsize=32)
def _built_in(kind: str) -> str:
    return (resources.files("alerts.receivers") / "templates" / f"{kind}.json.j2").read_text("utf-8")


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=50)
    environment.globals.clear()  # neither `range` nor `lipsum`: a template has what the message says
    environment.globals["joiner"] = _Joiner
    environment.filters["json"] = _json
    for name in ("clip", "clip_bytes", "slack", "markup", "markdown", "plain", "unlinked", "unmentioned", "url"):
        environment.filters[name] = getattr(escaping, name)
    return environment


class _Joiner:
    """Nothing the first time, a comma each time after: between the items of a list."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self) -> str:
        first, self._used = not self._used, True
        return "" if first else ","


def _json(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises, naming what is not there
    return orjson.dumps(value).decode()


def _color(message: Message) -> str:
    if message.reason == TEST:
        return TEST_COLOR
    return RESOLVED_COLOR if message.incident.state is IncidentState.RESOLVED else COLORS[message.incident.severity]
