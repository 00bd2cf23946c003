"""All else that is worth keeping of a record, as texts; never prompts, bodies or credentials, at any depth."""

import functools
import re
from collections.abc import Mapping, Sequence
from enum import Enum
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
CREDENTIAL_STARTS = frozenset("bBsS \t\r\n")
_CREDENTIAL_VALUE = re.compile(r"\s*(bearer|basic)\s+\S{8,}|sk-[\w-]{16,}", re.IGNORECASE)


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


def names_content(key: str) -> bool:
    """Whether a name looks like one of a prompt, an answer or a body. `prompt_length` and `error_message` do not."""
    words = _words(key)
    if not words or not _MEASURES.isdisjoint(words):
        return False
    of_errors = len(words) > 1 and words[-2] in _ERRORS
    return (words[-1] in _CONTENT and not of_errors) or words[-2:] == ["prompt", "template"]


class Keeping(Enum):
    """What may be kept under a name."""

    NOTHING = 0
    NUMBERS = 1
    ALL = 2


@functools.lru_cache(maxsize=8_192)
def keeping(key: str) -> tuple[str, Keeping]:
    """The name as it is stored, and what may be kept under it: a number is no prompt, whatever its name."""
    name = _storable(key[:MAX_KEY])
    if names_credential(key):
        return name, Keeping.NOTHING
    return name, Keeping.NUMBERS if names_content(key) else Keeping.ALL


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
        if value is None or value == "":
            continue
        name, allowed = keeping(key if type(key) is str else str(key))
        if allowed is Keeping.ALL or (allowed is Keeping.NUMBERS and isinstance(value, int | float)):
            text = text_of(value)
            if text and not _is_credential(text):
                into[name] = text
                if len(into) >= MAX_ATTRIBUTES:
                    return


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


def _is_credential(text: str) -> bool:
    return text[0] in CREDENTIAL_STARTS and _CREDENTIAL_VALUE.match(text) is not None


def _scrubbed(value: Any, depth: int) -> Any:
    """A nested value without what may not be kept; what lies deeper than `depth` is left out."""
    if isinstance(value, str):
        return "…" if value and _is_credential(value) else _storable(value)
    if isinstance(value, dict):
        return _scrubbed_object(value, depth) if depth else "…"
    if isinstance(value, list | tuple):
        return [_scrubbed(inner, depth - 1) for inner in value] if depth else "…"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _scrubbed_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    scrubbed = {}
    for key, inner in value.items():
        name, allowed = keeping(str(key))
        if allowed is Keeping.ALL or (allowed is Keeping.NUMBERS and isinstance(inner, int | float)):
            scrubbed[name] = _scrubbed(inner, depth - 1)
    return scrubbed


def _storable(text: str) -> str:
    """The text without lone surrogates, which no encoding has bytes for."""
    return text if text.isascii() else text.encode(errors="replace").decode()
