"""tpscope's own format, also where a log shipper put an envelope around the records."""

from ingest.formats.base import Objects
from ingest.formats.columns import Converted
from ingest.formats.envelope import Record, unwrapped
from ingest.formats.native import NativeFormat


class OwnFormat(NativeFormat):
    """A record without a `ts` of its own is looked for in an envelope."""

    def columns(self, objects: Objects) -> list[Converted]:
        return super().columns(unwrapped(objects, _has_ts))


def _has_ts(record: Record) -> bool:
    return "ts" in record
