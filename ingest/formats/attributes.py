"""All else that is worth keeping of a record, as texts; never prompts, bodies or credentials, at any depth."""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from core.record import RECORD_SCHEMA

MAX_ATTRIBUTES = 64
MAX_KEY = 128
MAX_VALUE = 1024
"""Most attributes of a record, and characters of a name and of a value; what is beyond is cut, the call is kept."""

_MAX_DEPTH = 8
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset({
    "authorization", "password", "passwd", "passphrase", "pwd", "secret", "secrets", "cookie", "cookies", "credential",
    "credentials", "bearer", "jwt", "apikey", "accesskey", "secretkey", "privatekey", "sessionid", "authtoken",
    "accesstoken",
})  # fmt: skip
_KEY_OWNERS = frozenset({
    "api", "access", "private", "secret", "signing", "encryption", "subscription", "master", "account", "auth", "ssh",
    "license",
})  # fmt: skip
_CONTENT = frozenset({
    "prompt", "prompts", "message", "messages", "msg", "body", "bodies", "content", "contents", "input", "inputs",
    "output", "outputs", "completion", "completions", "question", "answer", "text", "texts", "transcript", "payload",
    "choices", "instructions", "conversation", "document", "documents",
})  # fmt: skip
_ERRORS = frozenset({"error", "err", "exception", "failure", "warning", "status", "log"})
_MEASURES = frozenset({"num", "number", "count", "per"})
_CREDENTIAL_VALUE = re.compile(r"\s*(bearer|basic)\s+\S{8,}|sk-[\w-]{16,}", re.IGNORECASE)


@functools.lru_cache(maxsize=8_192)
def names_credential(key: str) -> bool:
    """Whether a name looks like a credential's. `api_key_id` and `prompt_tokens` do not."""
    words = _words(key)
    last = words[-1] if words else ""
    return (
        not _SECRET_WORDS.isdisjoint(words)
        or last in ("token", "auth")
        or (last == "key" and (len(words) == 1 or not _KEY_OWNERS.isdisjoint(words)))
        or words[-2:] == ["session", "id"]
        or "".join(words) in _SECRET_WORDS
    )


@functools.lru_cache(maxsize=8_192)
def names_content(key: str) -> bool:
    """Whether a name looks like one of a prompt, an answer or a body. `prompt_length` and `error_message` do not."""
    words = _words(key)
    if not words or not _MEASURES.isdisjoint(words):
        return False
    of_errors = len(words) > 1 and words[-2] in _ERRORS
    return (words[-1] in _CONTENT and not of_errors) or words[-2:] == ["prompt", "template"]


def may_keep(key: str, value: Any) -> bool:
    """Whether a value may be kept under that name; a number is no prompt, whatever its name."""
    return not names_credential(key) and (isinstance(value, int | float) or not names_content(key))


def text_of(value: Any) -> str:
    """A value as the text that is kept of it: scalars as JSON writes them, nested ones as compact JSON; cut."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, dict | list | tuple):
        text = orjson.dumps(_scrubbed(value, _MAX_DEPTH), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    elif isinstance(value, bytes):
        text = value.decode(errors="replace")
    else:
        text = str(value)
    return _storable(text[:MAX_VALUE])


def add_attributes(into: dict[str, str], extra: Mapping[Any, Any]) -> None:
    """Add what may be kept of `extra` to the attributes `into`; null and empty texts say nothing and are left out."""
    for key, value in extra.items():
        name = str(key)
        if len(into) >= MAX_ATTRIBUTES:
            return
        if value is None or value == "" or not may_keep(name, value):
            continue
        text = text_of(value)
        if text and not _CREDENTIAL_VALUE.match(text):
            into[_storable(name[:MAX_KEY])] = text


def attributes_array(rows: Sequence[Mapping[str, str] | None], length: int) -> pa.Array:
    """The column `attributes`; `rows` of shape (length,), or empty where no record has any."""
    kind = RECORD_SCHEMA.field("attributes").type
    sizes = np.fromiter((len(row) if row else 0 for row in rows), np.int32, len(rows)) if rows else np.zeros(length, np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)])
    keys = [key for row in rows if row for key in row]
    texts = [text for row in rows if row for text in row.values()]
    return pa.MapArray.from_arrays(pa.array(offsets), pa.array(keys, pa.string()), pa.array(texts, pa.string()), type=kind)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]


def _scrubbed(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth == 0:
            return "…"
        return {_storable(str(key)): _scrubbed(inner, depth - 1) for key, inner in value.items() if may_keep(str(key), inner)}
    if isinstance(value, list | tuple):
        return [_scrubbed(inner, depth - 1) for inner in value] if depth else "…"
    if isinstance(value, str):
        return "…" if _CREDENTIAL_VALUE.match(value) else _storable(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _storable(text: str) -> str:
    """The text without lone surrogates, which no encoding has bytes for."""
    return text if text.isascii() else text.encode(errors="replace").decode()
