"""`otel`: OTLP/JSON messages, each of which may hold many calls.

The calls of a message share its coordinates (topic, partition, offset). So a message is stored as a whole or not at all: where
one of its calls cannot be read, the whole message goes to the dead letters, and a replay after a fix stores each of its calls
once. A message without calls (application logs, metrics, spans of other work) goes there, too, with the reason `no_calls`;
log records and spans beside calls that are none are left out.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ingest.formats.base import Decoded, Reject, only_objects, parsed
from ingest.formats.envelope import unwrapped
from ingest.formats.gateways import OTEL, GatewayFormat
from ingest.formats.mapping import MappingFormat
from ingest.formats.merging import merged
from ingest.formats.otlp import Flat, calls_of

_BLOCK_MESSAGES = 256
"""Messages laid flat at a time: a collector puts up to some thousand calls into one."""


class OtelFormat:
    """Messages to calls."""

    name = OTEL

    def __init__(self, settings: GatewayFormat) -> None:
        self._settings = settings
        self._calls = MappingFormat(self.name, settings)

    def decode(self, values: Sequence[bytes]) -> Decoded:
        return self._in_blocks(values, parse=True)

    def decode_objects(self, objects: Sequence[object]) -> Decoded:
        return self._in_blocks(objects, parse=False)

    def _in_blocks(self, batch: Sequence[object], *, parse: bool) -> Decoded:
        parts = []
        rejects: list[Reject] = []
        for start in range(0, len(batch), _BLOCK_MESSAGES):
            block = batch[start : start + _BLOCK_MESSAGES]
            messages, places, unread = parsed(block) if parse else only_objects(block)  # type: ignore[arg-type]
            parts.append((start + places, self._messages(messages)))
            rejects += [Reject(index=start + one.index, reason=one.reason, detail=one.detail) for one in unread]
        return merged(parts, rejects)

    def _messages(self, messages: list[Flat]) -> Decoded:
        calls: list[Flat] = []
        counts = np.zeros(len(messages), np.int64)
        for place, message in enumerate(unwrapped(messages, self._settings.recognises)):
            found = calls_of(message)
            counts[place] = len(found)
            calls += found
        decoded = self._calls.decode_objects(calls)
        owners = np.repeat(np.arange(len(messages)), counts)
        rejects = {int(place): _NO_CALLS for place in np.flatnonzero(counts == 0)}
        firsts = np.cumsum(counts) - counts
        for one in reversed(decoded.rejects):
            owner = int(owners[one.index])
            nth = f"call {one.index - int(firsts[owner]) + 1} of {int(counts[owner])}"
            rejects[owner] = (one.reason, f"{nth}: {one.detail}" if counts[owner] > 1 else one.detail)
        valid = owners[decoded.valid]
        kept = ~np.isin(valid, np.fromiter(rejects, np.int64, len(rejects)))
        rows = decoded.rows if kept.all() else decoded.rows.filter(pa.array(kept))
        return Decoded(
            rows=rows,
            valid=valid[kept],
            rejects=tuple(Reject(index=at, reason=reason, detail=detail) for at, (reason, detail) in sorted(rejects.items())),
        )


_NO_CALLS = ("no_calls", "the message holds no log record or span with attributes of the HTTP or GenAI conventions")
