"""Settings of what tokens and instances cost: in the configuration, and in a file of prices that is read anew for each use."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from core.errors import ConfigError
from core.part import Part
from core.prices import PriceTable, TokenPrice
from core.series import Selector


class TokenPriceSettings(Part):
    provider: str = Field("*", description="Provider as calls have it; `*` stands for any text.")
    model: str = Field("*", description="Model as calls have it; `*` stands for any text.")
    valid_from: date = Field(date(1970, 1, 1), description="First day (UTC) of this price.")
    input: float = Field(ge=0, description="USD for a million prompt tokens.")
    output: float = Field(ge=0, description="USD for a million completion tokens.")
    cached: float | None = Field(None, ge=0, description="USD for a million prompt tokens read from a cache; else as `input`.")
    cache_write: float | None = Field(
        None, ge=0, description="USD for a million prompt tokens written to a cache; else as `input`."
    )
    reasoning: float | None = Field(None, ge=0, description="USD for a million reasoning tokens; else as `output`.")

    @property
    def price(self) -> TokenPrice:
        begins = datetime.combine(self.valid_from, time.min, tzinfo=UTC)
        return TokenPrice(**{**self.model_dump(), "valid_from": begins})


class InstancePriceSettings(Part):
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls run on these instances; empty: all.")
    tps: float = Field(gt=0, description="What one instance carries, calls/s.")
    usd_per_h: float = Field(ge=0, description="What one instance costs in an hour.")
    at_least: int = Field(1, ge=0, description="Instances that run whatever the traffic.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        Selector.of(self.selector)
        return self


class PriceSettings(Part):
    file: str = Field(
        "",
        description="A file of more prices, with the keys of `tokens`: `.csv` with a header, or a list in `.yaml`. Read anew "
        "every 5 minutes, so that a correction needs no restart.",
    )
    tokens: tuple[TokenPriceSettings, ...] = Field(
        (), description="Prices by provider and model; used for calls whose gateway reported no cost."
    )
    instances: tuple[InstancePriceSettings, ...] = Field((), description="Gateway instances, bought in whole steps.")

    @field_validator("file")
    @classmethod
    def _readable(cls, file: str) -> str:
        if file:
            read_price_file(Path(file))
        return file

    def read_table(self) -> PriceTable:
        """The prices of tokens as they are applied, the file read anew. Raises ConfigError as `read_price_file` does."""
        more = read_price_file(Path(self.file)) if self.file else []
        return PriceTable(tuple(one.price for one in (*self.tokens, *more)))


def read_price_file(path: Path) -> list[TokenPriceSettings]:
    """The prices of a `.csv` or `.yaml` file. Raises ConfigError that names the file and the line or entry that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is no UTF-8 text") from None
    found: dict[tuple[str, str, date], str] = {}
    prices = []
    for place, row in _csv_rows(text) if path.suffix == ".csv" else _yaml_rows(text, path):
        try:
            price = _PRICE.validate_python(row)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "entry"
            raise ConfigError(f"{path}: {place}", f"{key}: {first['msg']}") from None
        same = (price.provider, price.model, price.valid_from)
        if same in found:
            raise ConfigError(f"{path}: {place}", f"has the provider, model and date of {found[same]}")
        found[same] = place
        prices.append(price)
    return prices


_PRICE = TypeAdapter(TokenPriceSettings)


def _csv_rows(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows by the header's names; an empty cell is as if it was not there, and lines that begin with # are remarks."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    rows = csv.reader(line for _, line in lines)
    names = [name.strip() for name in next(rows, [])]
    for (number, _), cells in zip(lines[1:], rows, strict=True):
        more = ["more cells than the header"] * (len(cells) - len(names))
        filled = zip([*names, *more], cells, strict=False)
        yield f"line {number}", {name: cell.strip() for name, cell in filled if cell.strip()}


def _yaml_rows(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(str(path), f"is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise ConfigError(str(path), "must be a list of prices, or a .csv file with a header")
    for number, entry in enumerate(entries, start=1):
        yield f"entry {number}", entry
