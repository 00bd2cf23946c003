"""Gateway log formats: bytes of a record → rows of the call record, or the reason why not."""

from collections.abc import Mapping

from core.config import BUILTIN_FORMATS, FormatSettings, SchemaRegistrySettings
from core.errors import ConfigError
from ingest.formats.auto import AUTO, AutoFormat
from ingest.formats.base import Decoded, Format, Reject
from ingest.formats.framed import framed
from ingest.formats.gateways import OTEL, GatewayFormat, gateway_formats
from ingest.formats.mapping import MappingFormat
from ingest.formats.native import NativeFormat
from ingest.formats.otel import OtelFormat
from ingest.formats.own import OwnFormat

__all__ = ["AutoFormat", "Decoded", "Format", "Reject", "build_auto", "build_format"]


def build_format(name: str, formats: Mapping[str, FormatSettings], registry: SchemaRegistrySettings | None = None) -> Format:
    """The format of that name: a built-in one, or one under `formats` in the configuration; behind a schema registry, if any.

    Raises
    ------
    ConfigError
        There is no format of that name, its mapping cannot be carried out, or what the registry needs is not installed.
    """
    found = _build(name, formats)
    return framed(found, registry) if registry is not None and registry.url else found


def _build(name: str, formats: Mapping[str, FormatSettings]) -> Format:
    if name in formats:
        return MappingFormat(name, formats[name])
    if name == OwnFormat.name:
        return OwnFormat()
    if name == AUTO:
        return build_auto(formats)
    if name in gateway_formats():
        return _of_gateway(name, gateway_formats()[name])
    known = ", ".join(sorted({*BUILTIN_FORMATS, *formats}))
    raise ConfigError(f"format {name!r}", f"is not known; choose from {known}, or define it under `formats`")


def build_auto(formats: Mapping[str, FormatSettings]) -> AutoFormat:
    """The format that recognises all others; raises ConfigError where a mapping cannot be carried out."""
    return AutoFormat(
        NativeFormat(),
        {name: (known, _of_gateway(name, known)) for name, known in gateway_formats().items()},
        {name: MappingFormat(name, settings) for name, settings in formats.items()},
    )


def _of_gateway(name: str, known: GatewayFormat) -> Format:
    return OtelFormat(known) if name == OTEL else MappingFormat(name, known, known.recognises)
