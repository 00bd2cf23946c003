"""Gateway log formats: bytes of a record → rows of the call record, or the reason why not."""

from collections.abc import Mapping

from core.config import FormatSettings
from core.errors import ConfigError
from ingest.formats.base import Decoded, Format, Reject
from ingest.formats.mapping import MappingFormat
from ingest.formats.native import NativeFormat

__all__ = ["Decoded", "Format", "Reject", "build_format"]


def build_format(name: str, formats: Mapping[str, FormatSettings]) -> Format:
    """The format of that name: `tpscope`, or one under `formats` in the configuration.

    Raises
    ------
    ConfigError
        There is no format of that name, or its mapping cannot be carried out.
    """
    if name in formats:
        return MappingFormat(name, formats[name])
    if name == NativeFormat.name:
        return NativeFormat()
    known = ", ".join(sorted({NativeFormat.name, *formats}))
    raise ConfigError(f"format {name!r}", f"is not known; choose from {known}, or define it under `formats`")
