"""`auto`: recognises the format of each record by its top-level keys, then decodes the records of each format at once.

Which format a set of keys belongs to is looked up once and remembered. A record with `ts` is tpscope's own, whatever else it
has; your formats come before that, the gateways' after it; then an envelope is opened and what lies in it is looked at. What
fits none is rejected as `unknown_format`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from ingest.formats.base import BLOCK_RECORDS, Decoded, Format, Objects, Reject, only_objects, parsed
from ingest.formats.envelope import PAYLOADS, unwrap
from ingest.formats.gateways import GatewayFormat
from ingest.formats.mapping import MappingFormat
from ingest.formats.merging import merged
from ingest.formats.values import quote

AUTO = "auto"
_OWN = "tpscope"
_MAX_REMEMBERED = 4_096
_PROBES = 16
_SHOWN_KEYS = 8
_UNREAD = frozenset({"empty", "not_json", "not_object"})


class AutoFormat:
    """Records of several formats in one batch.

    Parameters
    ----------
    own : Format
        tpscope's own.
    gateways : mapping of name → (how it is known, the format)
        In the order in which they are asked.
    users : mapping of name → MappingFormat
        Those of the configuration.
    """

    name = AUTO

    def __init__(
        self, own: Format, gateways: Mapping[str, tuple[GatewayFormat, Format]], users: Mapping[str, MappingFormat]
    ) -> None:
        self._formats: dict[str, Format] = {_OWN: own, **{name: one for name, (_, one) in gateways.items()}, **users}
        self._gateways = {name: known for name, (known, _) in gateways.items() if name not in users}
        self._users = dict(users)
        self._ts_is_own = not any(one.reads("ts") for one in users.values())
        self._remembered: dict[tuple[Any, ...], str] = {}

    def decode(self, values: Sequence[bytes]) -> Decoded:
        if self._ts_is_own and self._looks_own(values):
            return self._mostly_own(values)
        return self._in_blocks(values, parse=True)

    def decode_objects(self, objects: Sequence[object]) -> Decoded:
        return self._in_blocks(objects, parse=False)

    def recognise(self, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name of the record's format, or an empty one, and the record, taken out of its envelope."""
        name = self._name_of(record)
        if not name and not PAYLOADS.isdisjoint(record):
            inner = unwrap(record)
            if inner is not None and (name := self._name_of(inner)):
                return name, inner
        return name, record

    def _name_of(self, record: dict[str, Any]) -> str:
        keys = tuple(record)
        name = self._remembered.get(keys)
        if name is None:
            name = self._look_up(record)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[keys] = name
        return name

    def _look_up(self, keys: dict[str, Any]) -> str:
        users = (name for name, one in self._users.items() if one.recognises(keys))
        own = (_OWN for _ in range(1) if "ts" in keys)
        gateways = (name for name, one in self._gateways.items() if one.recognises(keys))
        return next((name for names in (users, own, gateways) for name in names), "")

    def _looks_own(self, values: Sequence[bytes]) -> bool:
        """Whether a few records, from all over the batch, are tpscope's own: then it is worth reading all as such first."""
        for place in range(0, len(values), max(1, len(values) // _PROBES)):
            try:
                record = orjson.loads(values[place])
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and "ts" not in record:
                return False
        return True

    def _mostly_own(self, values: Sequence[bytes]) -> Decoded:
        """All read as tpscope's own; what has no `ts` was rejected by that and is looked at again."""
        decoded = self._formats[_OWN].decode(values)
        others = [one.index for one in decoded.rejects if one.reason not in _UNREAD and not _has_ts(values[one.index])]
        if not others:
            return decoded
        apart = frozenset(others)
        rest = Decoded(
            rows=decoded.rows,
            valid=decoded.valid,
            rejects=tuple(one for one in decoded.rejects if one.index not in apart),
        )
        again = self._in_blocks([values[place] for place in others], parse=True)
        return merged([(np.arange(len(values)), rest), (np.asarray(others, np.int64), again)])

    def _in_blocks(self, batch: Sequence[Any], *, parse: bool) -> Decoded:
        parts: list[tuple[np.ndarray, Decoded]] = []
        rejects: list[Reject] = []
        for start in range(0, len(batch), BLOCK_RECORDS):
            block = batch[start : start + BLOCK_RECORDS]
            objects, places, unread = parsed(block) if parse else only_objects(block)
            parts.append((start + places, self._each_by_its_format(objects)))
            rejects += [Reject(index=start + one.index, reason=one.reason, detail=one.detail) for one in unread]
        return merged(parts, rejects)

    def _each_by_its_format(self, objects: Objects) -> Decoded:
        groups: dict[str, tuple[list[int], Objects]] = {}
        for place, record in enumerate(objects):
            name, inner = self.recognise(record)
            places, records = groups.setdefault(name, ([], []))
            places.append(place)
            records.append(inner)
        unknown = groups.pop("", ([], []))
        rejects = [_unknown(place, record) for place, record in zip(*unknown, strict=True)]
        parts = [
            (np.asarray(places, np.int64), self._formats[name].decode_objects(records))
            for name, (places, records) in groups.items()
        ]
        return merged(parts, rejects)


def _has_ts(value: bytes) -> bool:
    try:
        return "ts" in orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        return True


def _unknown(place: int, record: dict[str, Any]) -> Reject:
    keys = ", ".join(quote(key) for key in list(record)[:_SHOWN_KEYS]) + (", …" if len(record) > _SHOWN_KEYS else "")
    detail = f"no format has records with the keys {keys or '(none)'}; `tpscope inspect` proposes a mapping"
    return Reject(index=place, reason="unknown_format", detail=detail)
