"""Schemas by their number, from a registry that speaks Confluent's REST API (so do Karapace and Apicurio).

A schema never changes under its number, so it is asked for once. A registry that is away is asked again a few times, then
RegistryUnavailable is raised: the batch is tried again later, since records of which the schema is not known are not bad.
https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from core.config import SchemaRegistrySettings
from core.errors import ConfigError, RegistryUnavailable

_FIRST_DELAY_S = 0.2
_MAX_SCHEMAS = 2_000
_ASK_AGAIN_S = 30.0
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_MAX_REFERENCES = 200


class UnknownSchema(LookupError):
    """The registry has no schema of that number, or one that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One schema with those that it refers to.

    Attributes
    ----------
    kind : str
        `AVRO`, `PROTOBUF` or `JSON`.
    text : str
        Avro's JSON; of Protobuf the FileDescriptorProto, in base64.
    references : tuple of (name, text)
        What it refers to by name, in an order in which each one's own references come before it.
    """

    kind: str
    text: str
    references: tuple[tuple[str, str], ...] = ()


class SchemaRegistry:
    """Looks schemas up; used by several threads. `transport` stands in for the network in tests."""

    def __init__(self, settings: SchemaRegistrySettings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._known: dict[int, Schema] = {}
        self._missing: dict[int, tuple[float, str]] = {}
        self._lock = threading.Lock()
        headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if settings.bearer_token is not None:
            headers["Authorization"] = f"Bearer {settings.bearer_token.reveal()}"
        auth = (settings.username, settings.password.reveal() if settings.password else "") if settings.username else None
        self._client = httpx.Client(
            base_url=settings.url.rstrip("/"),
            auth=auth,
            headers=headers,
            timeout=settings.timeout.total_seconds(),
            verify=_trusted(settings),
            transport=transport,
        )

    def schema(self, number: int) -> Schema:
        """The schema of that number.

        Raises
        ------
        UnknownSchema
            There is none; it is asked for again after half a minute.
        RegistryUnavailable
            The registry does not answer, or not us.
        """
        known = self._known.get(number)
        if known is not None:
            return known
        with self._lock:  # one thread asks, the others wait for its answer
            if number in self._known:
                return self._known[number]
            asked = self._missing.get(number)
            if asked is not None and time.monotonic() - asked[0] < _ASK_AGAIN_S:
                raise UnknownSchema(asked[1])
            try:
                found = self._fetch(number)
            except UnknownSchema as error:
                _bounded(self._missing)[number] = (time.monotonic(), str(error))
                raise
            _bounded(self._known)[number] = found
            return found

    def close(self) -> None:
        self._client.close()

    def _fetch(self, number: int) -> Schema:
        answer = self._get(f"/schemas/ids/{number}", f"schema {number}")
        kind = str(answer.get("schemaType") or "AVRO").upper()
        params = {}
        if kind == "PROTOBUF":
            params = {"format": "serialized"}
            answer = self._get(f"/schemas/ids/{number}", f"schema {number}", params)
        references: dict[str, str] = {}
        self._add_references(answer, params, references, number)
        return Schema(kind=kind, text=_text(answer, number), references=tuple(references.items()))

    def _add_references(self, answer: dict[str, Any], params: dict[str, str], into: dict[str, str], number: int) -> None:
        listed = answer.get("references")
        for one in listed if isinstance(listed, list) else ():
            name, subject, version = (one.get(key) if isinstance(one, dict) else None for key in ("name", "subject", "version"))
            if not isinstance(name, str) or not isinstance(subject, str) or not isinstance(version, int):
                raise UnknownSchema(f"schema {number} refers to something that the registry does not name")
            if name in into:
                continue
            if len(into) >= _MAX_REFERENCES:
                raise UnknownSchema(f"schema {number} refers to more than {_MAX_REFERENCES} others")
            into[name] = ""  # it may be referred to again on the way down
            path = f"/subjects/{quote(subject, safe='')}/versions/{version}"
            inner = self._get(path, f"{subject!r}, to which schema {number} refers,", params)
            self._add_references(inner, params, into, number)
            del into[name]
            into[name] = _text(inner, number)

    def _get(self, path: str, what: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        delay_s = _FIRST_DELAY_S
        for attempt in range(self._settings.retries + 1):
            if attempt:
                time.sleep(delay_s)
                delay_s *= 2
            try:
                response = self._client.get(path, params=params)
            except httpx.HTTPError as error:
                problem = f"does not answer ({type(error).__name__})"
                continue
            if response.status_code == 404:
                raise UnknownSchema(f"the registry does not know {what}".rstrip(","))
            if response.status_code in (401, 403):
                problem = f"refuses the login (HTTP {response.status_code}); check its username, password or token"
                break
            if response.status_code == 200 and len(response.content) <= _MAX_ANSWER_BYTES:
                return _object(response, what)
            problem = f"answers HTTP {response.status_code} for {what}".rstrip(",")
        raise RegistryUnavailable(f"kafka.schema_registry: {self._settings.url} {problem}")


def _object(response: httpx.Response, what: str) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError as error:
        raise UnknownSchema(f"the registry's answer for {what} is no JSON") from error
    if not isinstance(found, dict):
        raise UnknownSchema(f"the registry's answer for {what} is no object")
    return found


def _text(answer: dict[str, Any], number: int) -> str:
    text = answer.get("schema")
    if not isinstance(text, str):
        raise UnknownSchema(f"the registry's answer for schema {number} has no schema")
    return text


def _trusted(settings: SchemaRegistrySettings) -> ssl.SSLContext | bool:
    if settings.tls_ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except OSError as error:
        raise ConfigError("kafka.schema_registry.tls_ca", f"{settings.tls_ca!r} cannot be read ({error.strerror})") from error


def _bounded(remembered: dict[int, Any]) -> dict[int, Any]:
    """Make room, the oldest first."""
    while len(remembered) >= _MAX_SCHEMAS:
        del remembered[next(iter(remembered))]
    return remembered
