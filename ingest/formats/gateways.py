"""The built-in formats of gateways: declared in `gateways/*.yaml` with the keys that users have for formats of their own."""

from collections.abc import Collection
from functools import cache
from importlib.resources import files

import yaml

from core.config import BUILTIN_FORMATS, FormatSettings

OTEL = "otel"


class GatewayFormat(FormatSettings):
    """A mapping that comes with tpscope, where its log shape is documented, and by which keys a record of it is known.

    `recognise` lists alternatives; each is a list of top-level keys that all have to be there, `a|b` for either of two.
    """

    documentation: tuple[str, ...]
    recognise: tuple[tuple[str, ...], ...]

    def recognises(self, keys: Collection[str]) -> bool:
        """Whether a record with these top-level keys looks like one of this gateway's."""
        return any(all(any(key in keys for key in one.split("|")) for one in needed) for needed in self.recognise)


@cache
def gateway_formats() -> dict[str, GatewayFormat]:
    """Name → format, in the order in which they are tried."""
    folder = files("ingest.formats") / "gateways"
    names = [name for name in BUILTIN_FORMATS if name not in ("tpscope", "auto")]
    return {name: GatewayFormat.model_validate(yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))) for name in names}
