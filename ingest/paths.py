"""Raw paths to templates: `/users/8123/orders/2024-01-15` becomes `/users/{id}/orders/{date}`. Pure.

A segment is replaced by what it is: `{id}` (numbers, UUIDs, hashes, random tokens, also behind a prefix as in
`thread_{id}` and before a suffix as in `{id}.png`), `{date}` and `{email}`. Words, versions (`v1`, `1.2`, the `2` of
`/api/2/`) and names with numbers in them (`gpt-4o-2024-07-18`) stay. A route that has a placeholder already (`{id}`,
`<id>`, `:id`, `*`) is a template and stays as it is; so does what is no path (has no `/`).

These are guesses: a word that looks like a hash is taken for one, and a path of ever new words stays raw. The limit of the
column (`ingest/cardinality.py`) holds in every case.
"""

import re
from functools import lru_cache
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

CACHED_PATHS = 100_000
_MANY = 2_048
"""From so many different paths on the plain identifiers are replaced at once first."""

_TEMPLATE = re.compile(r"[{}<>*]|(?:^|/):")
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_HEX = r"(?:0x)?(?:[0-9a-fA-F]{16,}|(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{8,15})"
_NUMBERS = r"[+-]?\d+(?:[,;:._+-]\d+)*"
_DATE = (
    r"(?:1[89]|20|21)\d\d-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?"  # 2024-01, 2024-01-15
    r"(?:[Tt_ ]\d\d(?:(?::|%3[Aa]|-)?\d\d){0,2}(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?)?"
    r"|(?:1[89]|20|21)\d\d-?[Ww]\d\d"  # 2024-W03
)
_EMAIL = r"[^@%/\s]+(?:@|%40)[^@%/\s]+\.[A-Za-z]{2,}"
_VERSION = r"[vV]?\d{1,3}(?:\.\d{1,3}){1,2}"
_KIND = re.compile(rf"(?P<keep>{_VERSION})|(?P<date>{_DATE})|(?P<email>{_EMAIL})|(?P<id>{_NUMBERS}|{_UUID}|{_HEX})", re.ASCII)
_DAY = re.compile(r"20[0-4]\d(?:0[1-9]|1[0-2])[0-3]\d")  # claude-3-5-sonnet-20241022
_HEX_TAIL = re.compile(_HEX)
_PREFIXED = re.compile(r"([A-Za-z].*[_:.=~-])([A-Za-z0-9]+)", re.ASCII)
_SUFFIXED = re.compile(r"(.+)(\.[A-Za-z][A-Za-z0-9]{0,4})", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_AFTER_WHICH_A_VERSION = frozenset({"api", "rest", "version", "versions", "v"})
_TOKEN_RUN = 16
_TOKEN_TURNS = 3
_TAIL_RUN = 8
_TAIL_TURNS = 3
_LONGEST_WORD = 96

_RAW = re.compile(r"[0-9@]|%40|[a-fA-F]{16}|.{97}", re.ASCII | re.DOTALL)
"""What a segment has that is to be replaced; the others are words."""

_REPLACED = "\x1a"
"""What a plain identifier is for the rest of the way: a `{id}` would make the path a template already."""

_AT_ONCE = r"^(?:[0-9]{3,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,})$"
_AT_ONCE_WITHIN = r"^((?:[A-Za-z]+[_-])?)(?:[0-9]{5,7}|[0-9]{9,})((?:\.[A-Za-z]{1,4})?)$"
"""Segments that are `{id}`, or have one, wherever they stand; what `template_of` makes of them, too."""


class PathTemplates:
    """Templates of many paths; remembers the last ones. Safe to use from several threads."""

    def __init__(self, cached: int = CACHED_PATHS) -> None:
        self._template_of = lru_cache(maxsize=cached)(template_of)

    def of(self, paths: pa.Array) -> pa.Array:
        """The templates of an array of texts, in order; several paths may have one template."""
        if len(paths) < _MANY:
            return self._singly(paths)
        partly = _plain_ids_replaced(paths).dictionary_encode()
        return self._singly(partly.dictionary).take(partly.indices)

    def _singly(self, paths: pa.Array) -> pa.Array:
        return pa.array(map(self._template_of, paths.to_pylist()), pa.string(), size=len(paths))


def template_of(path: str) -> str:
    """The template of one path."""
    if "/" not in path or _TEMPLATE.search(path):
        return path
    segments = path.split("/")
    before = ""
    for place, segment in enumerate(segments):
        if segment:
            found = _segment(segment.partition(";")[0], before)
            before, segments[place] = segment, found
    return "/".join(segments)


def _segment(text: str, before: str) -> str:
    """One segment, without what a `;` led in (session ids)."""
    if _REPLACED in text:
        return text.replace(_REPLACED, "{id}")
    if not _RAW.search(text):
        return text
    if text.isdigit() and len(text) <= 2 and before.lower() in _AFTER_WHICH_A_VERSION:
        return text
    if (match := _KIND.fullmatch(text)) and match.lastgroup:
        return text if match.lastgroup == "keep" else f"{{{match.lastgroup}}}"
    suffixed = _SUFFIXED.fullmatch(text) if "." in text else None
    stem, suffix = suffixed.groups() if suffixed else (text, "")
    if (whole := _whole(stem)) in ("id", "date"):
        return f"{{{whole}}}{suffix}"
    if _is_token(text):
        return "{id}"
    if (prefixed := _PREFIXED.fullmatch(stem)) and _is_tail(prefixed[2]):
        return f"{prefixed[1]}{{id}}{suffix}"
    return text


def _whole(text: str) -> str:
    """What a whole text is: `keep` (a version), `date`, `email`, `id`, or none of these."""
    match = _KIND.fullmatch(text)
    if match and match.lastgroup:
        return match.lastgroup
    return "id" if _is_token(text) else ""


def _is_token(text: str) -> bool:
    """Long and random: a run of letters and digits that change places often, or more than any word has."""
    if len(text) < _TOKEN_RUN:
        return False
    return len(text) > _LONGEST_WORD or any(
        len(run) >= _TOKEN_RUN and _turns(run) >= _TOKEN_TURNS for run in _RUN.findall(text)
    )


def _is_tail(text: str) -> bool:
    """What stands behind a prefix: five digits at least, or a shorter token than one that stands alone."""
    if text.isdigit():
        return len(text) >= 5 and not _DAY.fullmatch(text)
    return bool(_HEX_TAIL.fullmatch(text)) or (len(text) >= _TAIL_RUN and _turns(text) >= _TAIL_TURNS)


def _turns(run: str) -> int:
    """How often digits, small letters and capitals change places; 0 without a digit, as words have capitals too."""
    kinds = ["0" if one.isdigit() else "a" if one.islower() else "A" for one in run]
    if "0" not in kinds:  # chatCompletionsForAdmins
        return 0
    return sum(1 for left, right in pairwise(kinds) if left != right)


def _plain_ids_replaced(paths: pa.Array) -> pa.Array:
    """The paths with the segments of `_AT_ONCE` replaced by `_REPLACED`, a column at a time."""
    parts = pc.split_pattern(paths, "/")
    segments = parts.flatten()
    plain = pc.match_substring_regex(segments, _AT_ONCE)
    segments = pc.replace_substring_regex(pc.if_else(plain, _REPLACED, segments), _AT_ONCE_WITHIN, rf"\1{_REPLACED}\2")
    replaced = pa.ListArray.from_arrays(parts.offsets, segments)
    raw = pc.and_(pc.match_substring(paths, "/"), pc.invert(pc.match_substring_regex(paths, r"[{}<>*]|(?:^|/):")))
    return pc.if_else(raw, pc.binary_join(replaced, "/"), paths)
