"""Values that must never be printed: read from the environment or from files, shown as `<redacted>`."""

import os
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

REDACTED = "<redacted>"


class Secret:
    """A value named by `env:NAME` or `file:PATH` in the configuration, never written there itself."""

    __slots__ = ("_reference", "_value")

    def __init__(self, value: str, reference: str = "") -> None:
        self._value = value
        self._reference = reference

    @classmethod
    def resolve(cls, reference: str) -> "Secret":
        """Read what `reference` names; raises ValueError that names the reference but never a value."""
        kind, _, name = reference.partition(":")
        if kind == "env" and name:
            value = os.environ.get(name)
            if value is None:
                raise ValueError(f"environment variable {name} is not set")
            return cls(value, reference)
        if kind == "file" and name:
            try:
                return cls(Path(name).read_text(encoding="utf-8").strip(), reference)
            except OSError as error:
                raise ValueError(f"file {name} cannot be read ({error.strerror})") from error
        raise ValueError("a secret must not stand here; write 'env:NAME' or 'file:/path' and put it there")

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def read_again(self) -> "Secret":
        """The secret as it is now, for one that others renew in its file; raises ValueError as `resolve` does."""
        return type(self).resolve(self._reference) if self._reference else self

    @property
    def reference(self) -> str:
        return self._reference

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def _coerce(cls, value: Any) -> "Secret":
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("write 'env:NAME' or 'file:/path'")
        return cls.resolve(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._coerce, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(env|file):.+", "description": "env:NAME or file:/path"}


class SecretUrl(Secret):
    """A webhook's address: `env:NAME`, `file:PATH`, or an http(s) URL; printed without what could be a token."""

    __slots__ = ()

    @classmethod
    def _coerce(cls, value: Any) -> "SecretUrl":
        if isinstance(value, SecretUrl):
            return value
        if not isinstance(value, str):
            raise ValueError("write an http(s) URL, 'env:NAME' or 'file:/path'")
        url = value if value.startswith(("http://", "https://")) else cls.resolve(value).reveal()
        if not url.startswith(("http://", "https://")):
            raise ValueError("is no http(s) URL; write one, or 'env:NAME' or 'file:/path' that hold one")
        return cls(url, value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": "http(s) URL, env:NAME or file:/path"}
